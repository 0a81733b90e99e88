package sd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Pipeline names the Stable Diffusion generator in model_index.json.
const Pipeline = "StableDiffusionPipeline"

// Config of a Stable Diffusion generator: the JSON files of its folder.
type Config struct {
	UNet        UNetConfig           // unet/config.json
	Autoencoder autoencoder.KLConfig // vae/config.json
	Scheduler   SchedulerConfig      // scheduler/scheduler_config.json
	CLIP        text.CLIPConfig      // text_encoder/config.json
}

// components are the classes that the parts of a folder must have, and those that
// it may have. The optional parts look at finished pictures, or at pictures given
// with the prompt; we have no use for them.
var components = map[string]struct {
	classes  []string
	optional bool
}{
	"scheduler":         {classes: []string{"PNDMScheduler", "DDIMScheduler"}},
	"text_encoder":      {classes: []string{"CLIPTextModel"}},
	"tokenizer":         {classes: []string{"CLIPTokenizer", "CLIPTokenizerFast"}},
	"unet":              {classes: []string{"UNet2DConditionModel"}},
	"vae":               {classes: []string{"AutoencoderKL"}},
	"feature_extractor": {[]string{"CLIPFeatureExtractor", "CLIPImageProcessor"}, true},
	"image_encoder":     {[]string{"CLIPVisionModelWithProjection"}, true},
	"safety_checker":    {[]string{"StableDiffusionSafetyChecker"}, true},
}

// ReadConfig reads the JSON files of a Stable Diffusion folder. Errors name the
// file and the field; those about a value wrap weights.ErrConfig.
func ReadConfig(fsys fs.FS) (c Config, err error) {
	if err := checkIndex(fsys); err != nil {
		return c, err
	}
	c.UNet, c.Scheduler = defaultUNet(), defaultScheduler()
	read := func(file string, part any, check func() error) {
		if err != nil {
			return
		}
		if err = weights.ReadConfig(fsys, file, part); err != nil {
			return
		}
		if problem := check(); problem != nil {
			err = fmt.Errorf("%s: %w", file, problem)
		}
	}
	read("unet/config.json", &c.UNet, c.UNet.check)
	read("scheduler/scheduler_config.json", &c.Scheduler, c.Scheduler.check)
	if err != nil {
		return c, err
	}
	if c.Autoencoder, err = autoencoder.ReadKLConfig(fsys, "vae"); err != nil {
		return c, err
	}
	if c.CLIP, err = text.ReadCLIPConfig(fsys, "text_encoder"); err != nil {
		return c, err
	}
	return c, c.check()
}

// checkIndex reads model_index.json. Parts that are null are absent.
func checkIndex(fsys fs.FS) error {
	const file = "model_index.json"
	var fields map[string]json.RawMessage
	if err := weights.ReadConfig(fsys, file, &fields); err != nil {
		return err
	}
	seen := map[string]bool{}
	for name, value := range fields {
		var part []*string // library and class
		if err := json.Unmarshal(value, &part); err != nil {
			continue // a setting of the pipeline, not a part of it
		}
		known, ok := components[name]
		absent := len(part) == 2 && part[0] == nil && part[1] == nil
		switch {
		case absent && (!ok || known.optional):
		case len(part) == 2 && part[1] != nil && slices.Contains(known.classes, *part[1]):
			seen[name] = true
		default:
			return fmt.Errorf("%s: %w: %s is %s, supported: %v", file, weights.ErrConfig, name, value, known.classes)
		}
	}
	for name, part := range components {
		if !part.optional && !seen[name] {
			return fmt.Errorf("%s: %w: has no %s", file, weights.ErrConfig, name)
		}
	}
	return nil
}

// check compares the parts with each other.
func (c Config) check() error {
	return errors.Join(
		weights.Require("unet: in_channels", c.UNet.InChannels, c.Autoencoder.LatentChannels),
		weights.Require("unet: cross_attention_dim", c.UNet.TextWidth, c.CLIP.Width),
	)
}
