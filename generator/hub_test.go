package generator

import (
	"maps"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

// TestOpenRepository opens the tiny generators by the names of repositories, through a
// download; again without a network; and refuses others before much is downloaded.
func TestOpenRepository(t *testing.T) {
	s := hubtest.Start(t, nil)
	rt := golden.Runtime(t)
	o := Options{Height: 64, Width: 96, Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}}
	for _, f := range golden.Fixtures(t, golden.Generator) {
		files := hubtest.Folder(t, f.Path("model"))
		files["surplus.safetensors"] = []byte("one file of a whole pipeline")
		commit := s.Put("tiny/"+family(t, f), "main", files)
		for _, ref := range []string{"tiny/" + family(t, f), "tiny/" + family(t, f) + "@" + commit} {
			g, err := Open(t.Context(), rt, ref, o)
			require.NoError(t, err)
			require.IsType(t, families[family(t, f)], g)
			require.NoError(t, g.Close())
		}
		for _, r := range s.Requests() {
			require.NotContains(t, r.Path, "surplus")
		}
		o.Hub.Offline = true
		g, err := Open(t.Context(), rt, "tiny/"+family(t, f), o)
		require.NoError(t, err)
		require.NoError(t, g.Close())
		o.Hub.Offline = false

		other := maps.Clone(files)
		other["model_index.json"] = []byte(`{"_class_name": "StableCascadePipeline", "vae": ["diffusers", "AutoencoderKL"]}`)
		s.Put("tiny/other", "main", other)
		s.Bytes()
		_, err = Open(t.Context(), rt, "tiny/other", o)
		require.ErrorIs(t, err, ErrUnsupported)
		require.Zero(t, s.Bytes())
	}
	_, err := Open(t.Context(), rt, "tiny/none", o)
	require.ErrorIs(t, err, hub.ErrNotFound)
	o.Hub.Offline = true
	_, err = Open(t.Context(), rt, "tiny/none", o)
	require.ErrorIs(t, err, hub.ErrOffline)
}

// TestSketchRepository: a sketch looks at a repository without downloading its weights, and
// sees what it would see in a folder.
func TestSketchRepository(t *testing.T) {
	s := hubtest.Start(t, nil)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		files, weights := hubtest.Folder(t, f.Path("model")), 0
		for name, content := range files {
			if path.Ext(name) == ".safetensors" {
				weights += len(content)
			}
		}
		s.Put("tiny/"+family(t, f), "main", files)
		s.Bytes()
		o := Options{Height: 64, Width: 96, Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}}
		require.Equal(t, sketched(t, f.Path("model"), o), sketched(t, "tiny/"+family(t, f), o))
		require.Less(t, int(s.Bytes()), weights, "the heads of the weights' files are small")
	}
	rt := sketch(t)
	_, err := Open(t.Context(), rt, "tiny/none", Options{Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}})
	require.ErrorIs(t, err, hub.ErrNotFound)
	s.Put("tiny/other", "main", map[string][]byte{"model_index.json": []byte(`{"_class_name": "StableCascadePipeline"}`)})
	_, err = Open(t.Context(), rt, "tiny/other", Options{Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}})
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, "tiny/other")
}

func sketch(t *testing.T) *backends.Runtime {
	rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu", Memory: 1 << 40})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// sketched is the size of the weights of what a sketch opens, in bytes.
func sketched(t *testing.T, ref string, o Options) int64 {
	rt := sketch(t)
	_, err := Open(t.Context(), rt, ref, o)
	require.NoError(t, err)
	require.Less(t, rt.Free(), rt.Memory())
	return rt.Memory() - rt.Free()
}
