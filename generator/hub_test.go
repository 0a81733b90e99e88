package generator

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

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
