package training

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
)

// TestBatchesStay: the embedded weights can be trained again only as long as the
// seeds of the plans give the same pictures, questions and numbers, bit for bit.
// Other processors may round differently: their compilers fuse multiplications
// with additions.
func TestBatchesStay(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the sums were taken on amd64")
	}
	words := questionVocabulary()
	v := &verifier{words: words, examiner: examiner{words: words, maxWords: 24, attributes: teaching.Attributes()}}
	v.config.MaxWords = v.examiner.maxWords
	a := &autoencoder{config: diffusion.DefaultConfig(1).Decoder}
	for name, test := range map[string]struct {
		draw drawFn
		plan plan
		sum  string
	}{
		"verifier":    {v.drawBatch, verifierPlan, "4e04ad2609886f796bafd108c6657e1171b3e2b6d31bed2c6ede69d8d67b2da5"},
		"autoencoder": {a.drawBatch, autoencoderPlan, "6cb8e61090169f9e6414a0ff5403e573ba67dcdafdab27210aba3763f3d2a750"},
	} {
		t.Run(name, func(t *testing.T) {
			hash := sha256.New()
			for step := range 3 {
				for _, x := range test.draw(test.plan, step) {
					require.NoError(t, x.ConstBytes(func(data []byte) { hash.Write(data) }))
				}
			}
			assert.Equal(t, test.sum, hex.EncodeToString(hash.Sum(nil)))
		})
	}
}
