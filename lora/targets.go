package lora

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/edit"
)

// matches reports whether a pattern names a layer. Both are read as elements
// separated by dots. A pattern is compared with the last elements of the name,
// as many as it has itself, and in each of its elements the wildcards of
// [path.Match] stand for any part of that one element:
//
//	to_q                 every layer called to_q, and "a.to_q"; not "a.proj_to_q"
//	attn.to_*            to_q, to_k, to_v of every attn
//	blocks.[0-3].ff.*    what is directly in ff of the first four blocks
//	*                    every layer
//
// A pattern without wildcards is thus what PEFT calls a target module.
func matches(pattern, name string) (bool, error) {
	want, have := strings.Split(pattern, "."), strings.Split(name, ".")
	if len(want) > len(have) {
		_, err := path.Match(pattern, "") // the syntax is checked even so
		return false, err
	}
	have = have[len(have)-len(want):]
	all := true
	for i, element := range want {
		ok, err := path.Match(element, have[i])
		if err != nil {
			return false, err
		}
		all = all && ok
	}
	return all, nil
}

// choose returns the layers that at least one pattern matches, sorted by name.
// No pattern at all means all layers.
func choose(patterns []string, layers []Layer) ([]Layer, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	chosen := map[string]Layer{}
	for _, pattern := range patterns {
		found := false
		for _, l := range layers {
			ok, err := matches(pattern, l.Name)
			if err != nil {
				return nil, fmt.Errorf("%w: target %q: %w", ErrConfig, pattern, err)
			}
			if ok {
				chosen[l.Name], found = l, true
			}
		}
		if !found {
			names := make([]string, len(layers))
			for i, l := range layers {
				names[i] = l.Name
			}
			return nil, fmt.Errorf("%w: target %q matches no layer; nearest: %s", ErrConfig, pattern, quoted(nearest(pattern, names)))
		}
	}
	list := make([]Layer, 0, len(chosen))
	for _, l := range chosen {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Layer) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// nearest returns the three names whose ends are most like the pattern: what
// the writer of a misspelt pattern probably meant.
func nearest(pattern string, names []string) []string {
	elements := strings.Count(pattern, ".") + 1
	distance := make(map[string]int, len(names))
	for _, name := range names {
		parts := strings.Split(name, ".")
		end := strings.Join(parts[max(0, len(parts)-elements):], ".")
		distance[name] = edit.Distance(pattern, end)
	}
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance[a], distance[b]), cmp.Compare(a, b))
	})
	return names[:min(3, len(names))]
}
