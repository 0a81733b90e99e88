package hub

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Reference{
		"owner/name":                     {"owner/name", "", ""},
		"Owner-1/na.me_2":                {"Owner-1/na.me_2", "", ""},
		"owner/name@v1":                  {"owner/name", "v1", ""},
		"owner/name/a.safetensors":       {"owner/name", "", "a.safetensors"},
		"owner/name@v1/in/a.safetensors": {"owner/name", "v1", "in/a.safetensors"},
		"owner/name@refs/pr/1":           {"owner/name", "refs/pr/1", ""},
		"owner/name@refs/pr/1/a":         {"owner/name", "refs/pr/1", "a"},
		"owner/name@feature%2Fx/a":       {"owner/name", "feature/x", "a"},
		"owner/name/a@b":                 {"owner/name", "", "a@b"},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
	}
	for _, text := range []string{
		"", "name", "/", "owner/", "/name", "owner//name", "./name", "../name", "owner/..", "owner/name/", "owner/name@", "owner/name@/a", "owner/name@v1/",
		"owner/name/../x", "owner/name@..", "owner/name@%2E%2E%2Fx", "owner/name@%zz", "owner/na--me", "owner/name.git", "-owner/name", "owner/name.", "~/name",
		`owner\name`, "C:/name", "owner/name/a:b", "owner/name/a\nb", "owner/name\x00", "owner/" + strings.Repeat("n", 200), "öwner/name",
	} {
		_, err := Parse(text)
		assert.ErrorIs(t, err, ErrReference, text)
		assert.True(t, Local(text), text)
	}
	assert.False(t, Local("owner/name"))
	assert.True(t, Local("owner/name/file"), "no model")
	assert.True(t, Local(t.TempDir()))
}

// within fails unless a path that the cache makes of a name is below the cache.
func within(t *testing.T, root, path string) {
	short, err := filepath.Rel(root, path)
	require.NoError(t, err)
	require.True(t, filepath.IsLocal(short), path)
	require.NotEqual(t, ".", short)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"owner/name", "owner/name@v1/in/a.safetensors", "owner/name@refs/pr/1/a", "a/b@%2e%2e/c", "../..", "a/b/../../c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrReference)
			return
		}
		again, err := Parse(r.String())
		require.NoError(t, err)
		require.Equal(t, r, again)
		root := filepath.FromSlash("/cache")
		c := newCache(root, r.Repository)
		within(t, root, c.dir)
		within(t, root, c.locks)
		if r.Revision != "" {
			within(t, filepath.Join(c.dir, "refs"), c.ref(r.Revision))
		}
		if r.File != "" {
			within(t, c.snapshot("x"), c.file("x", r.File))
		}
	})
}

// requireListing looks at what was believed of a server.
func requireListing(t *testing.T, l *listing) {
	require.Regexp(t, commitName, l.commit)
	c := newCache(filepath.FromSlash("/cache"), "owner/name")
	for name, e := range l.files {
		within(t, c.snapshot(l.commit), c.file(l.commit, name))
		if e.hash() != "" {
			require.Regexp(t, blobName, e.hash())
		}
		require.True(t, e.size >= -1 && e.size <= maxSize)
	}
}

func FuzzListing(f *testing.F) {
	commit := strings.Repeat("0", 40)
	f.Add([]byte(`{"sha": "` + commit + `", "siblings": [{"rfilename": "a/b.json", "size": 3, "blobId": "` + commit + `"}, {"rfilename": "../c", "lfs": {"sha256": "x", "size": -1}}]}`))
	f.Add([]byte(`{"format_version": 1, "files": {"a": {"size": 3, "blob_id": "` + commit + `", "lfs_sha256": "` + hubtest.SHA256(nil) + `", "lfs_size": 3}}}`))
	f.Add([]byte(`{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "../x"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := parseListing(data); err == nil {
			requireListing(t, l)
		}
		if l, err := parseTree(data, commit); err == nil {
			requireListing(t, l)
		}
		if shards, err := parseIndex(data, "unet"); err == nil {
			for _, shard := range shards {
				require.True(t, validPath(shard))
				require.Equal(t, "unet", filepath.ToSlash(filepath.Dir(shard)))
			}
		}
	})
}

// FuzzModel looks at what the indices of a repository make of it.
func FuzzModel(f *testing.F) {
	f.Add([]byte(`{"unet": ["diffusers", "UNet"], "..": ["a", "b"], "vae": [null, null], "x": 3}`), []byte(`{"weight_map": {"a": "../x"}}`))
	f.Add([]byte(`{"unet": ["diffusers", "UNet"]}`), []byte(`{"weight_map": {"a": "model-1.safetensors"}}`))
	f.Fuzz(func(t *testing.T, index, shards []byte) {
		o := Options{Cache: t.TempDir(), Offline: true}
		commit := strings.Repeat("0", 40)
		c := newCache(o.Cache, "owner/name")
		for name, data := range map[string][]byte{"model_index.json": index, "unet/model.safetensors.index.json": shards, "unet/config.json": nil, "unet/model-1.safetensors": nil} {
			require.NoError(t, os.MkdirAll(filepath.Dir(c.file(commit, name)), 0o777))
			require.NoError(t, os.WriteFile(c.file(commit, name), data, 0o666))
		}
		folder, err := Model(t.Context(), "owner/name@"+commit, o)
		if err != nil {
			require.ErrorIs(t, err, ErrOffline)
			return
		}
		require.Equal(t, c.snapshot(commit), folder)
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(`"`+strings.Repeat("a", 40)+`"`, "12", "bytes 0-1/2", `"api";r=0;t=55`)
	f.Add(`W/"x"`, "-1", "bytes */2", "Thu, 26 Nov 2026 22:00:00 GMT")
	f.Fuzz(func(t *testing.T, etag, size, span, wait string) {
		h := http.Header{}
		h.Set(linkedETag, etag)
		h.Set(linkedSize, size)
		h.Set(repoCommit, "x")
		h.Set("Retry-After", wait)
		if e, err := describedBy(h, 3, "x"); err == nil {
			require.Regexp(t, blobName, e.hash())
			require.True(t, e.size >= 0 && e.size <= maxSize)
		}
		require.GreaterOrEqual(t, retryAfter(h, time.Now()), time.Duration(0))
		h.Del("Retry-After")
		h.Set("RateLimit", wait)
		require.GreaterOrEqual(t, retryAfter(h, time.Now()), time.Duration(0))
		if checkRange(span, 1, 3, 9) == nil {
			require.Contains(t, []string{"bytes 1-2/9", "bytes 1-2/*"}, span)
		}
	})
}

func FuzzRecord(f *testing.F) {
	record := binary.LittleEndian.AppendUint64(nil, 10)
	for _, n := range []uint64{4, 4, 3, 2} {
		record = binary.LittleEndian.AppendUint64(record, n)
	}
	f.Add(record)
	require.Equal(f, []int64{4, 3, 2}, parseRecord(record, 10, 4))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for i, n := range parseRecord(raw, 10, 4) {
			require.True(t, n >= 0 && n <= min(4, 10-int64(i)*4))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 26, 22, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second}, {"Retry-After", "Thu, 26 Nov 2026 22:01:00 GMT", time.Minute}, {"Retry-After", "-1", 0}, {"Retry-After", "soon", 0},
		{"RateLimit", `"api";r=0;t=55`, 55 * time.Second}, {"RateLimit", `"api";r=3;t=55`, 0}, {"Other", "7", 0},
	} {
		require.Equal(t, test.want, retryAfter(http.Header{http.CanonicalHeaderKey(test.name): {test.value}}, now), test)
	}
}

func TestProgress(t *testing.T) {
	m := &meter{}
	m.expect(20e9)
	m.start("a", 5e9)
	now := time.Now()
	m.progress(now)
	m.had(1e9)
	m.got(1e9)
	p := m.progress(now.Add(10 * time.Second))
	require.Equal(t, "6.0 GB of 20.0 GB, 100.0 MB/s, 2m20s left", p.String())
	require.Equal(t, "999 bytes of 1.0 kB", Progress{Done: 999, Total: 1000}.String())
	require.True(t, json.Valid(must(json.Marshal(p))))
}
