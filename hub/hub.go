package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Model returns the folder of a model. Where ref is Local, that is ref itself; otherwise
// it is owner/name or owner/name@revision, and the folder is the snapshot of that
// revision in the cache, in which all files that the model needs are then.
//
// Where the registry does not answer, or refuses access, what the cache has of the
// revision counts. Errors wrap ErrReference, ErrOptions, ErrNotFound, ErrAccess,
// ErrOffline, ErrNetwork, ErrCorrupt, ErrSpace or the context's; what was downloaded by
// then stays, and the next call goes on from there.
func Model(ctx context.Context, ref string, o Options) (folder string, err error) {
	if Local(ref) {
		return ref, nil
	}
	return get(ctx, ref, o, func(r *repository) (string, error) {
		folder := r.snapshot(r.commit)
		n := needed{
			files:   hf.Folder{FS: r.files(), Reading: hf.Reading{Variant: o.Variant}},
			careful: r.unlisted && !r.Offline,
			fetch:   func(names ...string) error { return r.fetch(ctx, names...) },
			accept: func() error {
				if o.Accept == nil {
					return nil
				}
				return o.Accept(folder)
			},
		}
		return folder, n.collect()
	})
}

// File returns the path of one file, owner/name/folder/file or
// owner/name@revision/folder/file. Errors are those of Model.
func File(ctx context.Context, ref string, o Options) (path string, err error) {
	return get(ctx, ref, o, func(r *repository) (string, error) {
		if r.ref.File == "" {
			return "", fmt.Errorf("%w: names a repository, and no file of it", ErrReference)
		}
		return r.file(r.commit, r.ref.File), r.fetch(ctx, r.ref.File)
	})
}

// Adapter returns the path of an adapter's file, for lora.Load. Where ref is a file of
// this machine, that is ref itself; otherwise it is owner/name/file.safetensors, or
// owner/name for a repository with one such file, or one called as diffusers or PEFT do.
// PEFT's adapter_config.json comes with it. Errors are those of Model.
func Adapter(ctx context.Context, ref string, o Options) (file string, err error) {
	if localFile(ref) {
		return ref, nil
	}
	return get(ctx, ref, o, func(r *repository) (string, error) {
		name := r.ref.File
		if name == "" {
			var err error
			if name, err = findAdapter(r.files()); err != nil {
				return "", err
			}
		}
		names := []string{name}
		config := path.Join(path.Dir(name), "adapter_config.json")
		if _, err := fs.Stat(r.files(), config); err == nil {
			names = append(names, config)
		}
		return r.file(r.commit, name), r.fetch(ctx, names...)
	})
}

// findAdapter names the adapter of a repository.
func findAdapter(files fs.FS) (string, error) {
	all, err := fs.Glob(files, "*.safetensors")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"pytorch_lora_weights.safetensors", "adapter_model.safetensors"} {
		if slices.Contains(all, name) {
			return name, nil
		}
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return "", fmt.Errorf("the repository has no file of safetensors at its root: %w", fs.ErrNotExist)
	}
	return "", fmt.Errorf("the repository has several files: name one, such as owner/name/%s, of %.300q: %w", all[0], all, fs.ErrNotExist)
}

// Files returns the files of a repository at a revision as a file system, of which
// nothing is downloaded before it is read: a plan looks at a model so. Small files come
// by the cache. Weights, and large ones, that the cache does not have are read by ranges, which
// no hash vouches for; they are io.ReaderAt. ctx ends what is read later, too.
func Files(ctx context.Context, ref string, o Options) (files fs.FS, err error) {
	_, err = get(ctx, ref, o, func(r *repository) (string, error) {
		if r.unlisted && !r.Offline {
			return "", fmt.Errorf("the files are not known: %w", fs.ErrNotExist)
		}
		at := *r
		at.local = r.Offline
		files = at.files()
		return "", nil
	})
	return files, err
}

// repository is a repository at a commit, while files of it are asked for.
type repository struct {
	*client
	*cache
	ctx      context.Context // of the call, for what is read by files
	ref      Reference
	revision string

	commit   string
	listing  *listing
	unlisted bool // the listing is what the cache has, and not what there is
	local    bool // the network is not to be used

	slots chan struct{} // for connections
	meter *meter
}

// get does what a call asks for: with what is in the cache if that is sure to be enough,
// else with the registry's help.
func get(ctx context.Context, ref string, o Options, want func(*repository) (string, error)) (string, error) {
	name, err := func() (string, error) {
		r, err := open(ctx, ref, o)
		if err != nil {
			return "", err
		}
		defer r.close()
		name, err := r.get(want)
		var refusal *refused
		if errors.As(err, &refusal) {
			return "", refusal.error
		}
		return name, r.conceal(err)
	}()
	if err != nil {
		return "", fmt.Errorf("hub: %s: %w", ref, err)
	}
	return name, nil
}

// open reads what a call is about.
func open(ctx context.Context, ref string, o Options) (*repository, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	parsed, err := Parse(ref)
	if err != nil {
		return nil, err
	}
	revision := cmp.Or(parsed.Revision, o.Revision, "main")
	if !validPath(revision) {
		return nil, fmt.Errorf("%w: Revision is %.80q", ErrOptions, revision)
	}
	s, err := o.settle()
	if err != nil {
		return nil, err
	}
	return &repository{
		client: newClient(s), cache: newCache(s.Cache, parsed.Repository), ctx: ctx, ref: parsed, revision: revision,
		slots: make(chan struct{}, s.Connections), meter: &meter{},
	}, nil
}

func (r *repository) get(want func(*repository) (string, error)) (string, error) {
	name, cached := r.cached(want)
	var refusal *refused
	final := cached == nil || errors.As(cached, &refusal) // for this commit
	switch {
	case final && (r.Offline || commitName.MatchString(r.revision)):
		return name, cached
	case r.Offline:
		return "", fmt.Errorf("%w: %w", ErrOffline, cached)
	}
	found, err := r.fetched(want, cached == nil)
	if err != nil && cached == nil && (errors.Is(err, ErrNetwork) || errors.Is(err, ErrAccess)) {
		r.Logger.Warn("hub: the registry does not answer, the cache stands in for it", "repository", r.ref.Repository, "revision", r.revision, "error", r.scrub(err.Error()))
		return name, nil
	}
	return found, err
}

// cached looks for what is wanted in the cache. What a commit has is known by its
// listing, or else by what was downloaded of it.
func (r *repository) cached(want func(*repository) (string, error)) (string, error) {
	commit := r.cache.commit(r.revision)
	if commit == "" {
		return "", fmt.Errorf("the cache at %s has no revision %s of the repository: %w", r.Cache, r.revision, fs.ErrNotExist)
	}
	r.commit, r.local = commit, true
	r.listing = r.readTree(commit)
	r.unlisted = r.listing == nil
	return want(r)
}

// fetched asks the registry. standby says that the cache could stand in for it, so that
// not much time is spent on a network that is not there.
func (r *repository) fetched(want func(*repository) (string, error), standby bool) (string, error) {
	old := r.listing
	r.local, r.unlisted = false, false
	if old == nil || r.commit != r.revision {
		if err := r.relist(standby); err != nil {
			return "", err
		}
		old = nil
	}
	stop := r.report()
	defer stop()
	name, err := want(r)
	if old != nil && errors.Is(err, ErrCorrupt) {
		// The listing on the disk may be what is wrong.
		os.Remove(r.tree(r.commit))
		if err := r.relist(standby); err != nil {
			return "", err
		}
		name, err = want(r)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return "", err
	}
	if err := r.writeTree(r.listing); err != nil {
		return "", err
	}
	return name, r.setCommit(r.revision, r.commit)
}

// relist asks the registry for the files of the revision.
func (r *repository) relist(standby bool) error {
	c := *r.client
	if standby {
		hasty := *r.settings
		hasty.Retries = min(hasty.Retries, 1)
		c.settings = &hasty
	}
	l, err := c.list(r.ctx, r.ref.Repository, r.revision)
	if err != nil {
		return err
	}
	r.listing, r.commit = l, l.commit
	return nil
}

// lookup returns what is known of a file.
func (r *repository) lookup(name string) (entry, error) {
	if r.unlisted {
		return entry{size: -1}, nil
	}
	e, ok := r.listing.files[name]
	if !ok {
		return entry{}, fmt.Errorf("the repository has no %s%s: %w", name, r.similar(name), fs.ErrNotExist)
	}
	return e, nil
}

// similar names files of the same kind, for an error.
func (r *repository) similar(name string) string {
	var names []string
	for other := range r.listing.files {
		if path.Ext(other) == path.Ext(name) && path.Dir(other) == path.Dir(name) {
			names = append(names, other)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; it has " + strings.Join(names[:min(len(names), 5)], ", ")
}
