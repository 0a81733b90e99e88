// Package hub brings models and adapters from a registry that speaks the protocol of
// Hugging Face's hub:
//
//	folder, err := hub.Model(ctx, "black-forest-labs/FLUX.1-schnell", hub.Options{})
//	file, err := hub.Adapter(ctx, "owner/name@v2/line.safetensors", hub.Options{})
//
// generator.Open and verifier.Open call Model where they are given what is no folder,
// so that most programs need this package for its Options alone. lora.Load reads the
// file that Adapter returns.
//
// # What is downloaded
//
// Of a pipeline, what its model_index.json names and this library reads; of a model with
// a config.json, its configuration, tokenizer, processor and one set of weights, in
// safetensors: the plain ones, or those of Options.Variant. A revision may be a branch,
// a tag or a commit. No network is used where a commit is named and its files are all
// there.
//
// # The cache
//
// It is that of Python's huggingface_hub, in the same place and layout, and either finds
// what the other has downloaded:
//
//	models--owner--name/blobs/<hash>              what the files hold
//	models--owner--name/refs/main                 the commit that a branch or tag was last seen at
//	models--owner--name/snapshots/<commit>/<file> relative links to blobs
//	models--owner--name/trees/<commit>.json       the files of a commit, with sizes and hashes
//	.locks/models--owner--name/<hash>.lock        held by the process that downloads the blob
//
// A file appears under its name once its size and its hash are those that the registry
// says: sha256 for large files, git's hash of a blob for small ones. What is on its way
// is called blobs/<hash>.ranges.incomplete, and another call, or another process after
// a crash, goes on from there. refs/main is written last.
//
// # The environment
//
//	HF_HUB_CACHE     the cache (else HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub)
//	HF_HOME          where the cache and the file "token" are (else $XDG_CACHE_HOME/huggingface)
//	HF_TOKEN         the token of the user (else the file HF_TOKEN_PATH, else HF_HOME/token)
//	HF_ENDPOINT      the registry
//	HF_HUB_OFFLINE   1 = use what is in the cache
//
// HF_HUB_DISABLE_IMPLICIT_TOKEN=1 leaves the token to Options. Proxies are those of
// HTTPS_PROXY and NO_PROXY. Nothing of it is read before a call, or kept after it.
//
// # Why not go-huggingface
//
// Package hub of github.com/gomlx/go-huggingface shares the cache's layout, but it checks no
// hash, does not resume, retry or time out, refuses the redirects that large files come
// by, does not know HF_HOME, HF_HUB_CACHE, HF_TOKEN or the token file, has a session
// in package state, and prints its progress: what this package is for is what it lacks.
package hub
