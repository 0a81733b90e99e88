package vlmtest

import (
	"testing"
	"testing/fstest"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Change changes the files of a checkpoint. Halve is one.
type Change func(t testing.TB, files fstest.MapFS)

// With sets a field of a JSON file; see Set.
func With(file, path string, value any) Change {
	return func(t testing.TB, files fstest.MapFS) { Set(t, files, file, path, value) }
}

// Renamed gives all tensors other names; those without one are left out.
func Renamed(to func(name string) string) Change {
	return func(t testing.TB, files fstest.MapFS) {
		Rewrite(t, files, func(x *safetensors.Tensor) { x.Name = to(x.Name) })
	}
}

// Named gives one tensor another name, or leaves it out.
func Named(old, to string) Change {
	return Renamed(func(name string) string {
		if name == old {
			return to
		}
		return name
	})
}

// Without leaves files out.
func Without(names ...string) Change {
	return func(_ testing.TB, files fstest.MapFS) {
		for _, name := range names {
			delete(files, name)
		}
	}
}

// Content changes the bytes of a file.
func Content(name string, change func(old string) string) Change {
	return func(_ testing.TB, files fstest.MapFS) {
		files[name] = &fstest.MapFile{Data: []byte(change(string(files[name].Data)))}
	}
}

// Cut cuts off the end of a file.
func Cut(name string) Change {
	return Content(name, func(old string) string { return old[:len(old)-4] })
}

// Is puts something else in place of a file.
func Is(name, content string) Change {
	return Content(name, func(string) string { return content })
}
