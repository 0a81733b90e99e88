package qwen3vl

import (
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// Prompt implements vlm.Model. There is no system prompt, unlike in Qwen2.5-VL.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask(qwen.BeforeQuestion, question, qwen.AfterQuestion), Template: true}
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
