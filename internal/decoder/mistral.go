package decoder

// mistral are the fields of Mistral (Jiang et al., 2023), the language model of
// Idefics2, Pixtral and Mistral Small 3.
type mistral struct {
	common
	SlidingWindow *int `json:"sliding_window"` // of all layers
}

func newMistral() family {
	return &mistral{
		common: common{
			Layers: 32, Hidden: 4096, Intermediate: 14336, Heads: 32, KVHeads: new(8), Vocabulary: 32000,
			Epsilon: 1e-6, Activation: "silu", Theta: new(1e4),
		},
		SlidingWindow: new(4096),
	}
}

func (f *mistral) config() (Config, error) {
	c, err := f.windowed()
	if err != nil {
		return c, err
	}
	return c, f.rotary(&c)
}

// windowed is what Ministral 3 has too.
func (f *mistral) windowed() (Config, error) {
	c, err := f.base(false)
	if err != nil {
		return c, err
	}
	all := func(int) bool { return f.SlidingWindow != nil }
	return c, f.windowsByRule(&c, f.SlidingWindow, all)
}
