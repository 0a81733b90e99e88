package qwen35

import (
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// noThoughts begins an answer that is given without thinking first.
const noThoughts = "<think>\n\n</think>\n\n"

// Prompt implements vlm.Model.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask(qwen.BeforeQuestion, question, qwen.AfterQuestion+noThoughts), Template: true}
}

// Layout implements vlm.Model.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	size, err := m.config.Pictures.Target(picture)
	if err != nil {
		return vlm.Layout{}, err
	}
	patch := m.config.Vision.Patch
	return m.config.Pictures.Layout(size, m.config.ImageToken, m.config.Vision.Activations(size.Area()/(patch*patch))), nil
}
