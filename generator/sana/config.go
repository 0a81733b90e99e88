package sana

import (
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
)

// Pipeline names the Sana generator in model_index.json.
const Pipeline = "SanaPipeline"

// config of a Sana generator: the JSON files of its folder.
type config struct {
	sanabase.Config
	Scheduler schedulerConfig // scheduler/scheduler_config.json
}

// readConfig reads the JSON files of a Sana folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if c.Config, err = sanabase.ReadConfig(fsys, false, dpmClass, eulerClass); err != nil {
		return c, err
	}
	c.Scheduler, err = readScheduler(fsys)
	return c, err
}

// The classes of schedulers.
const (
	dpmClass   = "DPMSolverMultistepScheduler"
	eulerClass = pipeline.FlowMatchEulerClass
)

// schedulerConfig says how noise levels lie between 1 and 0, and by which solver a
// sampler goes from one to the next: what is left of either class' fields in
// scheduler_config.json when all others have the values that we support.
type schedulerConfig struct {
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

// readScheduler reads the configuration of either class.
func readScheduler(fsys fs.FS) (schedulerConfig, error) {
	const file = pipeline.SchedulerFile
	class, err := hf.ReadField[string](fsys, file, "_class_name")
	switch {
	case err != nil:
		return schedulerConfig{}, err
	case class == eulerClass:
		c, err := pipeline.ReadFlowMatchEuler(fsys)
		if err == nil {
			err = hf.Within(file, hf.Require("use_dynamic_shifting", c.Dynamic, false))
		}
		return schedulerConfig{c.Class, c.TrainTimesteps, c.Shift}, err
	case class == dpmClass:
		c := dpmConfig{ // what diffusers fills in
			TrainTimesteps: 1000, FlowShift: 1, Prediction: "epsilon", Algorithm: "dpmsolver++", Order: 2,
			SolverType: "midpoint", FinalSigmas: "zero",
		}
		err := pipeline.ReadConfig(fsys, file, &c, c.check)
		return schedulerConfig{c.Class, c.TrainTimesteps, c.FlowShift}, err
	}
	return schedulerConfig{}, hf.Within(file, hf.Require("_class_name", class, dpmClass, eulerClass))
}

func (c *dpmConfig) check() error {
	return errors.Join(
		hf.CheckSizes(hf.Size{Name: "num_train_timesteps", Value: c.TrainTimesteps, Limit: 1 << 16}),
		hf.Check(c.FlowShift > 0 && c.FlowShift < 1e3, "flow_shift is %v, want more than 0 and less than 1000", c.FlowShift),
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
