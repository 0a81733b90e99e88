package hub

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

const sd14 = "../internal/golden/testdata/generator/sd14/model"

// sdFiles are the files of a tiny Stable Diffusion as repositories have them: with much
// that is not needed.
func sdFiles(t testing.TB) map[string][]byte {
	files := hubtest.Folder(t, sd14)
	index := map[string]any{}
	require.NoError(t, json.Unmarshal(files["model_index.json"], &index))
	index["safety_checker"] = []string{"stable_diffusion", "StableDiffusionSafetyChecker"}
	var err error
	files["model_index.json"], err = json.Marshal(index)
	require.NoError(t, err)
	for _, name := range []string{
		"README.md", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt", "safety_checker/model.safetensors", "safety_checker/config.json",
		"unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.safetensors", "text_encoder/pytorch_model.bin",
		"unet/diffusion_pytorch_model.fp16.safetensors", "tokenizer/readme.txt",
	} {
		files[name] = []byte("what is in " + name)
	}
	return files
}

// sdNeeded are the names of those that are, without a variant.
func sdNeeded(t testing.TB) []string {
	return slices.Sorted(maps.Keys(hubtest.Folder(t, sd14)))
}

const tiny = "owner/tiny-sd"

// options are those of a test: quick, and with an empty cache.
func options(t testing.TB, s *hubtest.Server) Options {
	return Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true, Stall: 5 * time.Second, pause: time.Millisecond, piece: 128 << 10}
}

// tree lists all files below a folder: of links, where they lead.
func listed(t testing.TB, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		short, err := filepath.Rel(dir, name)
		require.NoError(t, err)
		short = filepath.ToSlash(short)
		if d.Type() == fs.ModeSymlink {
			all[short], err = os.Readlink(name)
			return err
		}
		data, err := os.ReadFile(name)
		all[short] = string(data)
		return err
	}))
	return all
}

// layout is what huggingface_hub's cache holds of some files of a commit of main.
func layout(files map[string][]byte, names []string, commit string) map[string]string {
	const dir = "models--owner--tiny-sd/"
	all := map[string]string{dir + "refs/main": commit}
	for _, name := range names {
		hash := hubtest.Hash(name, files[name])
		all[dir+"blobs/"+hash] = string(files[name])
		all[".locks/"+dir+hash+".lock"] = ""
		all[dir+"snapshots/"+commit+"/"+name] = strings.Repeat("../", 2+strings.Count(name, "/")) + "blobs/" + hash
	}
	return all
}

// TestModel downloads a pipeline: what it needs and no more, in the layout of Python's
// cache to the byte; and then again, with no request where a commit is named.
func TestModel(t *testing.T) {
	for _, bare := range []bool{false, true} {
		s := hubtest.Start(t, nil)
		s.Bare = bare
		files := sdFiles(t)
		commit := s.Put(tiny, "main", files)
		o := options(t, s)
		var last Progress
		o.Progress = func(p Progress) { last = p }
		asked := 0
		o.Accept = func(folder string) error {
			asked++
			require.FileExists(t, filepath.Join(folder, "model_index.json"))
			require.NoFileExists(t, filepath.Join(folder, "vae", "config.json"))
			return nil
		}
		folder, err := Model(t.Context(), tiny, o)
		require.NoError(t, err)
		require.Equal(t, 1, asked)
		require.Equal(t, filepath.Join(o.Cache, "models--owner--tiny-sd", "snapshots", commit), folder)
		got := listed(t, o.Cache)
		tree := "models--owner--tiny-sd/trees/" + commit + ".json"
		if !bare {
			require.Contains(t, got, tree)
			requireTree(t, got[tree], files)
		}
		delete(got, tree)
		require.Equal(t, layout(files, sdNeeded(t), commit), got)
		require.Equal(t, last.Total, last.Done)
		var sum int
		for _, name := range sdNeeded(t) {
			sum += len(files[name])
		}
		require.Equal(t, int64(sum), last.Total)

		s.Requests()
		o.Accept = nil
		again, err := Model(t.Context(), tiny+"@"+commit, o)
		require.NoError(t, err)
		require.Equal(t, folder, again)
		require.Empty(t, s.Requests(), "a commit is named, and all is there")
		_, err = Model(t.Context(), tiny, o)
		require.NoError(t, err)
		require.Len(t, s.Requests(), 1, "where is main?")
	}
}

// requireTree compares a listing with the format of huggingface_hub.
func requireTree(t *testing.T, text string, files map[string][]byte) {
	var tree struct {
		Version int                       `json:"format_version"`
		Files   map[string]map[string]any `json:"files"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &tree))
	require.Equal(t, 1, tree.Version)
	require.Len(t, tree.Files, len(files))
	for name, data := range files {
		want := map[string]any{"size": float64(len(data)), "blob_id": hubtest.Blob(data)}
		if hash := hubtest.Hash(name, data); len(hash) == 64 {
			want["lfs_sha256"], want["lfs_size"] = hash, float64(len(data))
		}
		require.Equal(t, want, tree.Files[name], name)
	}
}

// TestRanges: a large file comes in pieces, whose redirect is asked for once, and again
// where the address has expired; and from a server without ranges as a whole.
func TestRanges(t *testing.T) {
	for _, expire := range []bool{false, true} {
		s := hubtest.Start(t, nil)
		s.Expire = expire
		files := sdFiles(t)
		s.Put(tiny, "main", files)
		o := options(t, s)
		o.Connections = 1
		const name = "unet/diffusion_pytorch_model-00001-of-00003.safetensors"
		file, err := File(t.Context(), tiny+"/"+name, o)
		require.NoError(t, err)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, files[name], data)
		resolved, ranges := 0, map[string]bool{}
		for _, r := range s.Requests() {
			if strings.Contains(r.Path, "/resolve/") {
				resolved++
			}
			if r.Far {
				require.NotEmpty(t, r.Range)
				ranges[r.Range] = true
			}
		}
		require.Len(t, ranges, (len(data)+128<<10-1)/(128<<10))
		if expire {
			require.Equal(t, len(ranges), resolved)
		} else {
			require.Equal(t, 1, resolved)
		}
	}
}

// TestRevisions: main moves, and tags, commits and requests stay what they are.
func TestRevisions(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	first := s.Put(tiny, "v1", files)
	s.Put(tiny, "main", files)
	o := options(t, s)
	_, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	files = maps.Clone(files)
	files["scheduler/scheduler_config.json"] = []byte(`{"_class_name": "another"}`)
	second := s.Put(tiny, "main", files)
	s.Put(tiny, "refs/pr/7", files)
	s.Bytes()
	for ref, want := range map[string]string{"": second, "@v1": first, "@main": second, "@refs/pr/7": second, "@" + first: first} {
		folder, err := Model(t.Context(), tiny+ref, o)
		require.NoError(t, err, ref)
		require.Equal(t, want, filepath.Base(folder), ref)
	}
	o.Revision = "v1"
	folder, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	require.Equal(t, first, filepath.Base(folder))
	require.Zero(t, s.Bytes(), "only a small file is new")
	ref, err := os.ReadFile(filepath.Join(o.Cache, "models--owner--tiny-sd", "refs", "refs", "pr", "7"))
	require.NoError(t, err)
	require.Equal(t, second, string(ref))

	s.Moved["older/name"] = tiny
	folder, err = Model(t.Context(), "older/name", options(t, s))
	require.NoError(t, err)
	require.Contains(t, folder, "models--older--name")
}

// TestVariant takes the weights of a variant where a part has them.
func TestVariant(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	s.Put(tiny, "main", files)
	o := options(t, s)
	o.Variant = "fp16"
	folder, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	weights := func(dir string) (names []string) {
		all, err := filepath.Glob(filepath.Join(folder, dir, "*.safetensors*"))
		require.NoError(t, err)
		for _, name := range all {
			names = append(names, filepath.Base(name))
		}
		return names
	}
	require.Equal(t, []string{"diffusion_pytorch_model.fp16.safetensors"}, weights("unet"))
	require.Equal(t, []string{"diffusion_pytorch_model.fp16.safetensors"}, weights("vae"))
	require.Equal(t, []string{"model.safetensors"}, weights("text_encoder"))

	o.Variant = "bf16"
	_, err = Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "bf16")
}

// TestAccept: what is not wanted is refused before much is downloaded.
func TestAccept(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Put(tiny, "main", sdFiles(t))
	o := options(t, s)
	o.Accept = func(string) error { return io.ErrNoProgress }
	for range 2 {
		_, err := Model(t.Context(), tiny, o)
		require.ErrorIs(t, err, io.ErrNoProgress)
		require.Zero(t, s.Bytes())
	}
}

// TestAdapter finds the file, and PEFT's configuration beside it.
func TestAdapter(t *testing.T) {
	s := hubtest.Start(t, nil)
	one := []byte("weights")
	s.Put("owner/peft", "main", map[string][]byte{"adapter_model.safetensors": one, "adapter_config.json": []byte("{}"), "other.safetensors": one, "README.md": nil})
	s.Put("owner/one", "main", map[string][]byte{"line.safetensors": one, "in/a.safetensors": one})
	s.Put("owner/two", "main", map[string][]byte{"a.safetensors": one, "b.safetensors": one, "in/adapter_config.json": []byte("{}"), "in/a b.safetensors": one})
	o := options(t, s)
	for ref, want := range map[string][]string{
		"owner/peft": {"adapter_config.json", "adapter_model.safetensors"}, "owner/one": {"line.safetensors"},
		"owner/two/b.safetensors": {"b.safetensors"}, "owner/two@main/in/a b.safetensors": {"a b.safetensors", "adapter_config.json"},
	} {
		o.Cache = t.TempDir()
		file, err := Adapter(t.Context(), ref, o)
		require.NoError(t, err, ref)
		require.Contains(t, want, filepath.Base(file))
		entries, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		require.Equal(t, want, names, ref)
	}
	for ref, words := range map[string]string{"owner/two": "name one", "owner/two/c.safetensors": "it has a.safetensors, b.safetensors"} {
		_, err := Adapter(t.Context(), ref, o)
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorContains(t, err, words)
	}
	file := filepath.Join(t.TempDir(), "mine.safetensors")
	require.NoError(t, os.WriteFile(file, one, 0o600))
	for _, ref := range []string{file, "none/mine.safetensors"} {
		got, err := Adapter(t.Context(), ref, o)
		require.NoError(t, err)
		require.Equal(t, ref, got, "is a file, or one that is missing, for lora.Load to say so")
	}
	_, err := File(t.Context(), "owner/two", o)
	require.ErrorIs(t, err, ErrReference)
}

// TestFiles looks at a repository without downloading its weights.
func TestFiles(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	o := options(t, s)
	large := strings.Repeat("0123456789abcdef", cachedPieces*int(o.piece)/16+1)
	files["large.safetensors"] = []byte(large)
	commit := s.Put(tiny, "main", files)
	for _, ref := range []string{tiny, tiny + "@" + commit} {
		fsys, err := Files(t.Context(), ref, o)
		require.NoError(t, err)
		var names []string
		require.NoError(t, fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				names = append(names, name)
			}
			return err
		}))
		require.ElementsMatch(t, slices.Collect(maps.Keys(files)), names)
		require.Zero(t, s.Bytes())
		data, err := fs.ReadFile(fsys, "unet/config.json")
		require.NoError(t, err)
		require.Equal(t, files["unet/config.json"], data)
		f, err := fsys.Open("large.safetensors")
		require.NoError(t, err)
		some := make([]byte, 20)
		n, err := f.(io.ReaderAt).ReadAt(some, int64(len(large)-10))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, large[len(large)-10:], string(some[:n]))
		_, err = io.ReadFull(f, some)
		require.NoError(t, err)
		require.Equal(t, large[:20], string(some))
		require.NoError(t, f.Close())
		require.Equal(t, int64(30), s.Bytes())
		_, err = fsys.Open("../x")
		require.ErrorIs(t, err, fs.ErrInvalid)
		_, err = fsys.Open(path.Join("unet", "none"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestCancel(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Pause = 50 * time.Millisecond
	s.Put(tiny, "main", sdFiles(t))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Model(ctx, tiny, options(t, s))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 3*time.Second)
}
