package teaching

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// longestQuestion is the number of tokens that the verifier has room for.
const longestQuestion = 22

func TestQuestionsStayInVocabulary(t *testing.T) {
	known := map[string]bool{}
	for _, w := range Words() {
		known[w] = true
	}
	for _, f := range world.Families() {
		for _, text := range slices.Concat(Wordings(f)...) {
			tokens := world.Tokens(text + Suffix)
			require.LessOrEqual(t, len(tokens), longestQuestion)
			for _, token := range tokens {
				require.True(t, known[token], token)
			}
		}
	}
}

func TestAskIsDeterministicAndWellFormed(t *testing.T) {
	for seed := uint64(0); seed < 3000; seed++ {
		ask := func() (world.Scene, Question) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := world.RandomScene(rng, world.Broad)
			if seed%4 == 0 {
				s = Absent(rng, s)
			}
			return s, Ask(rng, s)
		}
		s, q := ask()
		again, same := ask()
		require.Equal(t, s, again)
		require.Equal(t, q, same)
		require.NotContains(t, q.Text, "%")
		require.False(t, math.IsNaN(q.Logit) || math.Abs(q.Logit) > 36, q.Logit)
		if q.Positions != nil {
			sum := 0.
			for _, p := range q.Positions {
				sum += p
			}
			require.InDelta(t, 1, sum, 1e-9)
			require.Len(t, q.Positions, len(PositionWords()))
		}
	}
}

func TestTargetsTurnWhereTheyShould(t *testing.T) {
	require.Greater(t, thickLogit(4.5), thickLogit(3))
	require.Greater(t, thickLogit(5), thickLogit(7))
	require.Greater(t, thinLogit(1.1), thinLogit(2))
	require.Greater(t, thinLogit(1), thinLogit(.7))
	require.InDelta(t, 4, lineLogit(0), 1e-12)
	require.InDelta(t, lineLogit(.2), lineLogit(-.2), 1e-12)
}

func TestAbsenceAnswersNo(t *testing.T) {
	for _, f := range world.Families() {
		for seed := uint64(0); seed < 50; seed++ {
			rng := rand.New(rand.NewPCG(seed, 3))
			s := world.NewScene(rng, f, world.Broad)
			s.Gone, s.Fade = world.Subject, 1
			if f == world.Room {
				s.Gone = world.BothObjects
			}
			for _, topic := range topics(f) {
				if !topic.own || f == world.Lake && topic.mark == world.LineMark {
					continue
				}
				q := topic.ask(rng, s)
				require.LessOrEqual(t, q.Logit, -3.5, q.Text)
			}
		}
	}
}
