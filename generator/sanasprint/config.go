package sanasprint

import (
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
)

// Pipeline names the SANA-Sprint generator in model_index.json.
const Pipeline = "SanaSprintPipeline"

const schedulerClass = "SCMScheduler"

// config of a SANA-Sprint generator: the JSON files of its folder.
type config struct {
	sanabase.Config
	Scheduler schedulerConfig // scheduler/scheduler_config.json
}

// schedulerConfig says how angles lie between noise and picture. The fields are those
// of diffusers' scheduler_config.json.
type schedulerConfig struct {
	Class          string  `json:"_class_name"`
	TrainTimesteps int     `json:"num_train_timesteps"`
	Prediction     string  `json:"prediction_type"`
	SigmaData      float64 `json:"sigma_data"` // what the pipeline multiplies all latents by, until it decodes them

	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// readConfig reads the JSON files of a SANA-Sprint folder. Errors name the file and
// the field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if c.Config, err = sanabase.ReadConfig(fsys, true, schedulerClass); err != nil {
		return c, err
	}
	c.Scheduler = schedulerConfig{TrainTimesteps: 1000, Prediction: "trigflow", SigmaData: 0.5} // what diffusers fills in
	return c, pipeline.ReadConfig(fsys, pipeline.SchedulerFile, &c.Scheduler, c.Scheduler.check)
}

func (c *schedulerConfig) check() error {
	return errors.Join(
		hf.Require("_class_name", c.Class, schedulerClass),
		hf.CheckSizes(hf.Size{Name: "num_train_timesteps", Value: c.TrainTimesteps, Limit: 1 << 16}),
		hf.Require("prediction_type", c.Prediction, "trigflow"),
		hf.Check(c.SigmaData > 0 && c.SigmaData < 1e3, "sigma_data is %v, want more than 0 and less than 1000", c.SigmaData),
	)
}
