package pipeline

import (
	"errors"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// SchedulerFile is where the scheduler's configuration is in the folder of a
// pipeline.
const SchedulerFile = "scheduler/scheduler_config.json"

// FlowMatchEulerClass is the name that diffusers gives the scheduler of
// FlowMatchEuler.
const FlowMatchEulerClass = "FlowMatchEulerDiscreteScheduler"

// FlowMatchEuler says how the noise levels of a flow lie between 1 and 0. The fields
// are those of diffusers' scheduler_config.json.
type FlowMatchEuler struct {
	Class           string  `json:"_class_name"`
	TrainTimesteps  int     `json:"num_train_timesteps"`
	Shift           float64 `json:"shift"`                // of the levels towards noise
	Dynamic         bool    `json:"use_dynamic_shifting"` // shift by the size of the picture instead
	BaseShift       float64 `json:"base_shift"`           // at BaseTokens, a logarithm
	MaxShift        float64 `json:"max_shift"`            // at MaxTokens
	BaseTokens      int     `json:"base_image_seq_len"`
	MaxTokens       int     `json:"max_image_seq_len"`
	DynamicType     string  `json:"time_shift_type"`
	InvertSigmas    bool    `json:"invert_sigmas"`
	ShiftTerminal   any     `json:"shift_terminal"`
	Karras          bool    `json:"use_karras_sigmas"`
	Exponential     bool    `json:"use_exponential_sigmas"`
	Beta            bool    `json:"use_beta_sigmas"`
	StochasticSteps bool    `json:"stochastic_sampling"`

	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// ReadFlowMatchEuler reads the scheduler's configuration in the folder of a pipeline.
// Errors name the file and the field; those about a value wrap hf.ErrConfig.
func ReadFlowMatchEuler(fsys fs.FS) (FlowMatchEuler, error) {
	c := FlowMatchEuler{ // what diffusers fills in
		TrainTimesteps: 1000, Shift: 1, BaseShift: 0.5, MaxShift: 1.15, BaseTokens: 256, MaxTokens: 4096, DynamicType: "exponential",
	}
	return c, ReadConfig(fsys, SchedulerFile, &c, c.check)
}

func (c *FlowMatchEuler) check() error {
	return errors.Join(
		hf.Check(c.Shift > 0 && c.Shift < 1e3, "shift is %v, want more than 0 and less than 1000", c.Shift),
		hf.Check(c.MaxTokens > c.BaseTokens, "max_image_seq_len is %d, but base_image_seq_len is %d", c.MaxTokens, c.BaseTokens),
		hf.Require("_class_name", c.Class, FlowMatchEulerClass),
		hf.CheckSizes(hf.Size{Name: "num_train_timesteps", Value: c.TrainTimesteps, Limit: 1 << 16}),
		hf.Require("time_shift_type", c.DynamicType, "exponential"),
		hf.Require("invert_sigmas", c.InvertSigmas, false),
		hf.Absent("shift_terminal", c.ShiftTerminal),
		hf.Require("use_karras_sigmas", c.Karras, false),
		hf.Require("use_exponential_sigmas", c.Exponential, false),
		hf.Require("use_beta_sigmas", c.Beta, false),
		hf.Require("stochastic_sampling", c.StochasticSteps, false),
	)
}

// Sigmas returns n noise levels: from 1 in equal steps to 1/n, then shifted towards
// noise, by mu if the shift is dynamic. float32 as in the reference, so that they
// agree in every bit.
func (c FlowMatchEuler) Sigmas(n int, mu float64) []float32 {
	sigmas := make([]float32, n)
	for k := range sigmas {
		even := float32(Linspace(1, 1/float64(n), k, n))
		if c.Dynamic {
			e := float32(math.Exp(mu))
			sigmas[k] = e / (e + (1/even - 1))
		} else {
			shift := float32(c.Shift)
			sigmas[k] = float32(shift*even) / (1 + float32((shift-1)*even))
		}
	}
	return sigmas
}

// Flow is the grid of n steps, and of the levels of the training, which are shifted
// alike. The network is told of a level what ModelTime makes of its timestep.
func (c FlowMatchEuler) Flow(n int, mu float64) Flow {
	return NewFlow(c.Sigmas(n, mu), c.Sigmas(c.TrainTimesteps, mu), func(sigma float32) float32 {
		return ModelTime(sigma * float32(c.TrainTimesteps))
	})
}

// ModelTime is a timestep as it arrives in the sine waves of FLUX's transformers: the
// pipeline divides by 1000 and the transformer multiplies, in float32. The waves are so
// fast that the rounding can be seen.
func ModelTime(timestep float32) float32 {
	t := timestep / 1000
	return t * 1000
}

// Mu is the logarithm of the dynamic shift of FLUX.1: it grows linearly with the
// number of tokens, as larger pictures need more noise to hide what they show.
func (c FlowMatchEuler) Mu(tokens int) float64 {
	slope := (c.MaxShift - c.BaseShift) / float64(c.MaxTokens-c.BaseTokens)
	return c.BaseShift + slope*float64(tokens-c.BaseTokens)
}
