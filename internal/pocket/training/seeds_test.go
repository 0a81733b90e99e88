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
	again := &verifier{words: words, config: v.config, examiner: v.examiner}
	again.examiner.marks = true
	a := &autoencoder{config: diffusion.DefaultConfig(1).Decoder}
	for name, test := range map[string]struct {
		draw drawFn
		plan plan
		sum  string
	}{
		"verifier":    {v.drawBatch, verifierPlan, "2fe185e75cca4dfd97b71c6cc7399840045dbfc5cbfaeb1a75d634627c78a4e3"},
		"again":       {again.drawBatch, verifierPlan, "c74b322c1acac812d2afe5976809f56a33743178625bb3c8c11313b2a0c462d4"},
		"autoencoder": {a.drawBatch, autoencoderPlan, "5ae6ae70a029681213ee1ccb6c799bf79f991600e1d0a9a75410592af04e3edf"},
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
