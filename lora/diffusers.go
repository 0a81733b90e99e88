package lora

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// diffusers reads a file in the naming of diffusers or PEFT: its prefix if that is
// a pipeline's, and its parts.
func (r *reader) diffusers(entries []*entry) (string, []part, error) {
	for _, e := range entries {
		e.module = withoutProcessor(e.module)
	}
	prefix, err := r.commonPrefix(entries)
	if err != nil {
		return "", nil, err
	}
	if r.config, err = r.findConfig(prefix); err != nil {
		return "", nil, err
	}
	known := byName(r.layers)
	var parts []part
	seen := map[string]bool{}
	for _, e := range entries {
		p, err := r.read(e, strings.TrimPrefix(e.module, prefix), known)
		if err == nil && seen[p.Name] {
			err = fmt.Errorf("%w: a second adapter of layer %q", ErrFormat, p.Name)
		}
		if err != nil {
			return "", nil, fmt.Errorf("tensor %q: %w", e.a.Name, err)
		}
		seen[p.Name] = true
		parts = append(parts, p)
	}
	if prefix == peftPrefix+"." {
		prefix = ""
	}
	return prefix, parts, nil
}

// read returns the adapter of one module as that of the named layer, which must be
// one of those known.
func (r *reader) read(e *entry, name string, known map[string]Layer) (part, error) {
	if e.mid != nil {
		return part{}, fmt.Errorf("%w: %q is not in this naming", ErrFormat, e.mid.Name)
	}
	p, err := shapeOf(e)
	if err != nil {
		return p, err
	}
	p.Name = name
	if r.layers != nil {
		if err := p.fits(known); err != nil {
			return p, err
		}
	}
	if err := r.readNumbers(e, &p); err != nil {
		return p, err
	}
	if p.alpha, err = r.alpha(e, p); err == nil && r.own != nil {
		p.alpha = r.own.alpha(p.Name, p.alpha, 1e-12)
		err = checkAlpha(p.alpha)
	}
	return p, err
}

// withoutProcessor returns the layer's name of an attention processor's, of which
// diffusers' oldest files hold the layers: "attn1.processor.to_out_lora" is
// "attn1.to_out.0".
func withoutProcessor(module string) string {
	name, ok := strings.CutSuffix(module, "_lora")
	if !ok {
		return module
	}
	name = strings.Replace(name, ".processor.", ".", 1)
	if strings.HasSuffix(name, ".to_out") {
		name += ".0"
	}
	return name
}

// commonPrefix returns what stands before the layers' names in the file, with
// its dot: what Save noted, or one that is known, or nothing. All tensors must
// have the same; if the layers are known, they decide which it is.
func (r *reader) commonPrefix(entries []*entry) (string, error) {
	candidates := []string{peftPrefix + ".", DefaultPrefix + ".", unetPrefix + ".", ""}
	if r.own != nil {
		candidates = []string{r.own.Prefix + "."}
	}
	var shared []string
	some := "" // with what only some of the names begin
	for _, prefix := range candidates {
		with := 0
		for _, e := range entries {
			if strings.HasPrefix(e.module, prefix) && e.module != prefix {
				with++
			}
		}
		if with == len(entries) {
			shared = append(shared, prefix)
		} else if with > 0 {
			some = prefix
		}
	}
	if r.layers != nil {
		known := byName(r.layers)
		for _, prefix := range shared {
			if !slices.ContainsFunc(entries, func(e *entry) bool { _, ok := known[e.module[len(prefix):]]; return !ok }) {
				return prefix, nil
			}
		}
	}
	// Without layers a prefix that only some names have would be taken for a part of
	// these names, and saved again after another.
	if len(shared) == 0 || r.layers == nil && shared[0] == "" && some != "" {
		return "", fmt.Errorf("%w: not all names begin with %q", ErrFormat, cmp.Or(some, candidates[0]))
	}
	return shared[0], nil
}
