package sd

import (
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
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

// parts of a folder. The optional ones look at finished pictures, or at pictures
// given with the prompt; we have no use for them.
var parts = map[string]pipeline.Part{
	"scheduler":         {Classes: []string{"PNDMScheduler", "DDIMScheduler"}},
	"text_encoder":      {Classes: []string{"CLIPTextModel"}},
	"tokenizer":         {Classes: []string{"CLIPTokenizer", "CLIPTokenizerFast"}},
	"unet":              {Classes: []string{"UNet2DConditionModel"}},
	"vae":               {Classes: []string{"AutoencoderKL"}},
	"feature_extractor": {Classes: []string{"CLIPFeatureExtractor", "CLIPImageProcessor"}, Optional: true},
	"image_encoder":     {Classes: []string{"CLIPVisionModelWithProjection"}, Optional: true},
	"safety_checker":    {Classes: []string{"StableDiffusionSafetyChecker"}, Optional: true},
}

// ReadConfig reads the JSON files of a Stable Diffusion folder. Errors name the
// file and the field; those about a value wrap hf.ErrConfig.
func ReadConfig(fsys fs.FS) (c Config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.UNet, c.Scheduler = defaultUNet(), defaultScheduler()
	if err := pipeline.ReadConfig(fsys, "unet/config.json", &c.UNet, c.UNet.check); err != nil {
		return c, err
	}
	if err := pipeline.ReadConfig(fsys, pipeline.SchedulerFile, &c.Scheduler, c.Scheduler.check); err != nil {
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

// check compares the parts with each other.
func (c Config) check() error {
	return errors.Join(
		hf.Equal("unet: in_channels", c.UNet.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("unet: out_channels", c.UNet.OutChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("unet: cross_attention_dim", c.UNet.TextWidth, "text_encoder: hidden_size", c.CLIP.Width),
	)
}
