package tokenizer

// Words lists the tokens that texts are made of, by id: all but the special ones. It is meant for small closed
// vocabularies, whose tokens are words.
func (t *Tokenizer) Words() []string {
	var words []string
	for id := range t.Size() {
		if word := t.Decode([]int{id}); word != "" { // Decode leaves special tokens out
			words = append(words, word)
		}
	}
	return words
}
