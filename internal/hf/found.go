package hf

import (
	"fmt"
	"path"
	"strings"
)

// save says how files of other layouts come into the one that is read here.
const save = "load it in Python and write it with save_pretrained, which makes a folder with safetensors"

// layouts are files that people have in place of a folder that can be read, the most
// telling first.
var layouts = []struct{ pattern, what, advice string }{
	{"model_index.json", "the index of a pipeline of diffusers", "generator.Open opens it"},
	{"params.json", "Mistral's own layout", "take the model's folder in the layout of transformers, such as mistral-community/pixtral-12b"},
	{"consolidated*.safetensors", "Mistral's own layout", "take the model's folder in the layout of transformers, such as mistral-community/pixtral-12b"},
	{"tekken.json", "Mistral's own layout", "take the model's folder in the layout of transformers, such as mistral-community/pixtral-12b"},
	{"adapter_config.json", "an adapter, not a model", "open the model that it was trained on, and read the adapter with package lora"},
	{"config.json", "one model of transformers or of diffusers, not a pipeline", "verifier.Open opens vision-language models; of a pipeline, open the folder around its parts"},
	{"*.gguf", "GGUF, the format of llama.cpp and ollama", "take the model's folder with safetensors"},
	{"*.ckpt", "PyTorch's pickle format", save + " (a whole pipeline in one file: from_single_file)"},
	{"*.bin", "PyTorch's pickle format", save},
	{"*.pt", "PyTorch's pickle format", save},
	{"*.pth", "PyTorch's pickle format", save},
	{"*.msgpack", "Flax's format", save},
	{"*.h5", "TensorFlow's format", save},
	{"*.onnx", "ONNX", "take the model's folder with safetensors"},
	{"*-of-*.safetensors", "one shard of several, whose index is missing", "download the *.safetensors.index.json beside it"},
	{"*.safetensors", "weights without what describes them, as of a whole pipeline in one file", save + " (a pipeline: from_single_file)"},
}

// Found says, as the end of a sentence, what there is in place of what can be read,
// and what to do; nothing where nothing is recognised.
func Found(files []string) string {
	for _, l := range layouts {
		for _, file := range files {
			if ok, _ := path.Match(l.pattern, strings.ToLower(file)); ok {
				return fmt.Sprintf("; %s is %s: %s", file, l.what, l.advice)
			}
		}
	}
	return ""
}
