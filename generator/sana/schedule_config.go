package sana

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// The classes of schedulers.
const (
	dpmClass   = "DPMSolverMultistepScheduler"
	eulerClass = pipeline.FlowMatchEulerClass
)

// SchedulerConfig says how noise levels lie between 1 and 0, and by which solver a
// sampler goes from one to the next: what is left of either class' fields in
// scheduler_config.json when all others have the values that we support.
type SchedulerConfig struct {
	Class          string
	TrainTimesteps int
	Shift          float64 // of the noise levels, towards noise
}

// dpmConfig are the fields of DPM-Solver.
type dpmConfig struct {
	Class          string   `json:"_class_name"`
	TrainTimesteps int      `json:"num_train_timesteps"`
	FlowShift      float64  `json:"flow_shift"`
	FlowSigmas     bool     `json:"use_flow_sigmas"`
	Prediction     string   `json:"prediction_type"`
	Algorithm      string   `json:"algorithm_type"`
	Order          int      `json:"solver_order"`
	SolverType     string   `json:"solver_type"`
	FinalSigmas    string   `json:"final_sigmas_type"`
	Thresholding   bool     `json:"thresholding"`
	Karras         bool     `json:"use_karras_sigmas"`
	Exponential    bool     `json:"use_exponential_sigmas"`
	Beta           bool     `json:"use_beta_sigmas"`
	Lu             bool     `json:"use_lu_lambdas"`
	Dynamic        bool     `json:"use_dynamic_shifting"`
	LambdaMin      *float64 `json:"lambda_min_clipped"` // nil = minus infinity

	// These change nothing for a flow whose last noise level is 0.
	BetaStart       any `json:"beta_start"`
	BetaEnd         any `json:"beta_end"`
	BetaSchedule    any `json:"beta_schedule"`
	TrainedBetas    any `json:"trained_betas"`
	RescaleBetas    any `json:"rescale_betas_zero_snr"`
	ThresholdRatio  any `json:"dynamic_thresholding_ratio"` // of Thresholding
	ThresholdMax    any `json:"sample_max_value"`           // of Thresholding
	LowerOrderFinal any `json:"lower_order_final"`          // the last step is of first order anyway
	EulerAtFinal    any `json:"euler_at_final"`             // the same
	Spacing         any `json:"timestep_spacing"`
	StepsOffset     any `json:"steps_offset"`
	VarianceType    any `json:"variance_type"`
	ShiftType       any `json:"time_shift_type"` // of Dynamic
	Version         any `json:"_diffusers_version"`
	NameOrPath      any `json:"_name_or_path"`
}

func readSchedulerConfig(fsys fs.FS) (c SchedulerConfig, err error) {
	const file = pipeline.SchedulerFile
	var text json.RawMessage
	if err := hf.ReadConfig(fsys, file, &text); err != nil {
		return c, err
	}
	var kind struct {
		Class string `json:"_class_name"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	switch kind.Class {
	case dpmClass:
		c, err = decodeDPM(text)
	case eulerClass:
		c, err = decodeEuler(text)
	default:
		err = hf.Require("_class_name", kind.Class, dpmClass, eulerClass)
	}
	if err == nil {
		err = hf.CheckSizes(hf.Size{Name: "num_train_timesteps", Value: c.TrainTimesteps, Limit: 1 << 16})
	}
	if err == nil && !(c.Shift > 0 && c.Shift < 1e3) {
		err = fmt.Errorf("%w: the shift is %v", hf.ErrConfig, c.Shift)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func decodeDPM(text []byte) (SchedulerConfig, error) {
	c := dpmConfig{ // what diffusers fills in
		TrainTimesteps: 1000, FlowShift: 1, Prediction: "epsilon", Algorithm: "dpmsolver++", Order: 2,
		SolverType: "midpoint", FinalSigmas: "zero",
	}
	if err := hf.Decode(text, &c); err != nil {
		return SchedulerConfig{}, err
	}
	return SchedulerConfig{c.Class, c.TrainTimesteps, c.FlowShift}, errors.Join(
		hf.Require("use_flow_sigmas", c.FlowSigmas, true),
		hf.Require("prediction_type", c.Prediction, "flow_prediction"),
		hf.Require("algorithm_type", c.Algorithm, "dpmsolver++"),
		hf.Require("solver_order", c.Order, 2),
		hf.Require("solver_type", c.SolverType, "midpoint"),
		hf.Require("final_sigmas_type", c.FinalSigmas, "zero"),
		hf.Require("thresholding", c.Thresholding, false),
		hf.Require("use_karras_sigmas", c.Karras, false),
		hf.Require("use_exponential_sigmas", c.Exponential, false),
		hf.Require("use_beta_sigmas", c.Beta, false),
		hf.Require("use_lu_lambdas", c.Lu, false),
		hf.Require("use_dynamic_shifting", c.Dynamic, false),
		hf.Absent("lambda_min_clipped", c.LambdaMin),
	)
}

func decodeEuler(text []byte) (SchedulerConfig, error) {
	c, err := pipeline.DecodeFlowMatchEuler(text)
	return SchedulerConfig{c.Class, c.TrainTimesteps, c.Shift}, errors.Join(err, hf.Require("use_dynamic_shifting", c.Dynamic, false))
}
