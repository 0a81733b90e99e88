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
		"verifier":    {v.drawBatch, verifierPlan, "2ef39bfaa5cfdf777be63c687139e59ba0a5fc12729b46759703a973dbd99b5a"},
		"autoencoder": {a.drawBatch, autoencoderPlan, "7a76f0c8d25ec8cd21c6b6734b6188cd2d26669e4a70d5ce03462552902fa1cf"},
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
