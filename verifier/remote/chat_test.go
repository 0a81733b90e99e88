package remote_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/study/questions"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// TestChat: the system prompt is a turn of its own, and there is no picture.
func TestChat(t *testing.T) {
	e := serve(t, always(http.StatusOK, completion(" Ice. ", "stop")))
	s := e.scorer(t, remote.Options{})
	said, err := s.Chat(t.Context(), "Be short.", "What is on the lake?", 77)
	require.NoError(t, err)
	require.Equal(t, "Ice.", said)
	_, err = s.Chat(t.Context(), "", "And in summer?", 5)
	require.NoError(t, err)
	asked := e.asked()
	require.Equal(t, []any{
		map[string]any{"role": "system", "content": "Be short."},
		map[string]any{"role": "user", "content": "What is on the lake?"},
	}, asked[0].body["messages"])
	require.EqualValues(t, 77, asked[0].body["max_tokens"])
	require.NotContains(t, asked[0].body, "logprobs")
	require.Equal(t, []any{map[string]any{"role": "user", "content": "And in summer?"}}, asked[1].body["messages"])

	for field, ask := range map[string]func() (string, error){
		"Text":   func() (string, error) { return s.Chat(t.Context(), "Be short.", " ", 5) },
		"Tokens": func() (string, error) { return s.Chat(t.Context(), "Be short.", "Why?", 0) },
	} {
		_, err := ask()
		require.ErrorIs(t, err, dualprocess.ErrTask)
		require.ErrorContains(t, err, field)
	}
	require.Len(t, e.asked(), 2)
}

// TestQuestions lets an endpoint write: it first forgets the answer, then learns from
// what it is told, and is busy once on the way.
func TestQuestions(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, k int, body map[string]any) {
		switch k {
		case 0:
			write(w, http.StatusOK, completion(`{"questions": [{"question": "Is the lake frozen?"}]}`, "stop"))
		case 1:
			w.Header().Set("Retry-After", "0")
			write(w, http.StatusServiceUnavailable, `{"error": {"message": "busy"}}`)
		case 2:
			write(w, http.StatusOK, completion("```json\n{\"questions\": [{\"question\": \"Is the lake frozen?\", \"answer\": \"Yes\"}]}\n```", "stop"))
		default:
			write(w, http.StatusOK, completion(`{"prompt": "A frozen lake in winter."}`, "stop"))
		}
	})
	m := questions.Model{Chat: e.scorer(t, remote.Options{})}
	q, err := m.Question(t.Context(), "a lake in winter")
	require.NoError(t, err)
	require.Equal(t, dualprocess.Question{Text: "Is the lake frozen?", Answer: "Yes"}, q)
	expanded, err := m.Expand(t.Context(), "a lake in winter")
	require.NoError(t, err)
	require.Equal(t, "A frozen lake in winter.", expanded)
	asked := e.asked()
	require.Len(t, asked, 4)
	text := asked[2].body["messages"].([]any)[1].(map[string]any)["content"]
	require.Contains(t, text, `its answer is "" and not Yes or No`)
}
