package verifier_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hubtest"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// TestOpenRepository opens the tiny verifiers by the names of repositories, through a
// download; again without a network; and refuses others before much is downloaded.
func TestOpenRepository(t *testing.T) {
	s := hubtest.Start(t, nil)
	rt := golden.Plain(t)
	o := verifier.Options{Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}}
	open := func(folder, repository string) {
		files := hubtest.Folder(t, folder)
		files["consolidated.safetensors"] = []byte("the same in another layout")
		commit := s.Put(repository, "main", files)
		for _, ref := range []string{repository, repository + "@" + commit} {
			v, err := verifier.Open(t.Context(), rt, ref, o)
			require.NoError(t, err)
			require.NoError(t, v.Close())
		}
		for _, r := range s.Requests() {
			require.NotContains(t, r.Path, "consolidated")
		}
		o.Hub.Offline = true
		v, err := verifier.Open(t.Context(), rt, repository, o)
		require.NoError(t, err)
		require.NoError(t, v.Close())
		o.Hub.Offline = false
	}
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name, Model string }
		f.Decode(t, &about)
		open(f.Path(about.Model), "tiny/"+about.Name)
	}
	open(pocketFolder, "tiny/pocket")

	// A sketch reads no more than the heads of the weights' files.
	sketch, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu", Memory: 1 << 40})
	require.NoError(t, err)
	defer sketch.Close()
	bare := verifier.Options{Hub: hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}}
	s.Bytes()
	before := sketch.Free()
	v, err := verifier.Open(t.Context(), sketch, "tiny/pocket", bare)
	require.NoError(t, err)
	weights := before - sketch.Free()
	require.Positive(t, weights)
	require.Less(t, s.Bytes(), weights/2)
	require.NoError(t, v.Close())
	require.Equal(t, before, sketch.Free())

	s.Put("tiny/other", "main", map[string][]byte{"config.json": []byte(`{"architectures": ["LlamaForCausalLM"]}`), "model.safetensors": []byte("large")})
	s.Bytes()
	_, err = verifier.Open(t.Context(), rt, "tiny/other", o)
	require.ErrorIs(t, err, verifier.ErrUnsupported)
	require.Zero(t, s.Bytes())
	_, err = verifier.Open(t.Context(), rt, "tiny/none", o)
	require.ErrorIs(t, err, hub.ErrNotFound)
}
