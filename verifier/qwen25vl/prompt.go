package qwen25vl

import (
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// system is the prompt that the chat template of the checkpoints begins with where none
// is given. The paper's prompt is the same.
const system = qwen.StartToken + "system\nYou are a helpful assistant." + qwen.EndToken + "\n"

// Prompt implements vlm.Model.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask(system+qwen.BeforeQuestion, question, qwen.AfterQuestion), Template: true}
}

// Layout implements vlm.Model.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	size, err := m.target(picture)
	if err != nil {
		return vlm.Layout{}, err
	}
	p := m.config.Processor
	return p.Layout(size, m.config.ImageToken, m.vision.activations(size.Height/p.Unit(), size.Width/p.Unit())), nil
}
