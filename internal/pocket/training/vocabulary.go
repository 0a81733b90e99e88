package training

import (
	"fmt"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// The first tokens of both vocabularies.
const (
	padToken    = "<pad>" // id 0
	answerToken = "<ans>" // id 1 of the verifier: the place of the answer
)

// vocabulary maps words to ids.
type vocabulary struct {
	words []string
	ids   map[string]int32
}

func newVocabulary(words ...string) *vocabulary {
	v := &vocabulary{words: words, ids: make(map[string]int32, len(words))}
	for i, w := range words {
		v.ids[w] = int32(i)
	}
	return v
}

// captionVocabulary has the words of captions and no other: a word that the
// generator never saw must be an error and not a random vector.
func captionVocabulary() *vocabulary {
	var words []string
	for _, f := range world.Families() {
		for _, c := range world.Captions(f) {
			words = append(words, world.Tokens(c)...)
		}
	}
	for _, name := range world.PaletteNames {
		words = append(words, world.Tokens(world.InPalette("", name))...)
	}
	slices.Sort(words)
	return newVocabulary(append([]string{padToken}, slices.Compact(words)...)...)
}

// questionVocabulary has all words of the pocket world.
func questionVocabulary() *vocabulary {
	return newVocabulary(append([]string{padToken, answerToken}, teaching.Words()...)...)
}

// encode returns the ids of a text.
func (v *vocabulary) encode(text string) ([]int32, error) {
	var ids []int32
	for _, token := range world.Tokens(text) {
		id, ok := v.ids[token]
		if !ok {
			return nil, fmt.Errorf("training: %q of %q is not in the vocabulary", token, text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// caption encodes and pads a prompt on the right.
func (v *vocabulary) caption(text string, size int) ([]int32, error) {
	ids, err := v.encode(text)
	if err == nil && len(ids) > size {
		err = fmt.Errorf("training: %q has more than %d words", text, size)
	}
	if err != nil {
		return nil, err
	}
	return append(ids, make([]int32, size-len(ids))...), nil
}

// question encodes a question with the answer's place after it, padded on the left.
func (v *vocabulary) question(text string, size int) ([]int32, error) {
	ids, err := v.encode(text)
	if err == nil && len(ids)+1 > size {
		err = fmt.Errorf("training: %q has more than %d words", text, size-1)
	}
	if err != nil {
		return nil, err
	}
	ids = append(ids, v.ids[answerToken])
	return append(make([]int32, size-len(ids)), ids...), nil
}
