package lora

import (
	"fmt"
	"regexp"
	"strings"
)

// naming is a way to name the layers of a generator in a file that is not that of
// diffusers.
type naming struct {
	name string
	// begins are how its modules' names begin, to know it by where the layers are
	// not known or are others.
	begins []string
	// modules lists every name that the layers can have.
	modules func(layers []Layer) []fused
}

// namings are those that are read, besides that of diffusers; each has a file.
var namings = []naming{kohya, comfy, xlabs, oneTrainer}

// published returns what the modules of files stand for, by their names in all of
// the namings.
func published(layers []Layer) map[string]fused {
	known := map[string]fused{}
	for _, n := range namings {
		for _, f := range n.modules(layers) {
			if other, ok := known[f.name]; ok && !other.same(f) {
				f.layers = nil // nobody can tell which is meant
			}
			known[f.name] = f
		}
	}
	return known
}

// refuseForeign returns an error for names that are those of a naming other than
// diffusers', and not all known.
func refuseForeign(entries []*entry, known map[string]fused) error {
	for _, e := range entries {
		for _, n := range namings {
			for _, begin := range n.begins {
				if strings.HasPrefix(e.module, begin) {
					return n.refuse(entries, known)
				}
			}
		}
	}
	return nil
}

// refuse names the first tensor that is not known.
func (n naming) refuse(entries []*entry, known map[string]fused) error {
	for _, e := range entries {
		if _, ok := known[e.module]; ok {
			continue
		}
		if len(known) == 0 {
			return fmt.Errorf("tensor %q: %w: it is in the naming of %s, which needs the generator's layers", e.a.Name, ErrFormat, n.name)
		}
		names := make([]string, 0, len(known))
		for name := range known {
			names = append(names, name)
		}
		return fmt.Errorf("tensor %q: %w: the generator has no such layer in the naming of %s; nearest: %s",
			e.a.Name, ErrMismatch, n.name, quoted(nearest(e.module, names)))
	}
	return nil
}

// others is how the names of networks begin that are no generators: the text
// encoders of diffusers, of kohya and of OneTrainer, and the embeddings that
// OneTrainer packs into the same file.
var others = regexp.MustCompile(`^(text_encoder(_\d)?\.|text_encoders\.|(lora_|lora_prior_)?te\d?[._]|clip_[lgh]\.|t5(xxl)?\.|bundle_emb\.)`)

// isOther tells by a tensor's name that it is of another network than the generator.
func isOther(name string) bool { return others.MatchString(name) }

// undotted is a layer's name without dots, which some programs can't have in names.
func undotted(name string) string { return strings.ReplaceAll(name, ".", "_") }
