module github.com/dualprocess/dualprocess-go/verifier/remote

go 1.26.5

require (
	// For those who require this module: Go ignores the replace directive below in a dependency. So it names a commit of
	// main that exists and that this module builds with; they get that one, or a newer one that they require themselves.
	// It moves (go get github.com/dualprocess/dualprocess-go@main) when this module needs more of the library, and to the
	// library's own tag before verifier/remote is tagged.
	github.com/dualprocess/dualprocess-go v0.0.0-20261126124618-5586f2689147
	github.com/openai/openai-go/v3 v3.96.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/image v0.47.0
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/gofrs/flock v0.13.0 // indirect
	github.com/gomlx/compute v0.1.6 // indirect
	github.com/gomlx/go-xla v0.4.5 // indirect
	github.com/gomlx/gomlx v0.28.8 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20260410095643-746e56fc9e2f // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.40.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)

// In a checkout both modules are developed and tested as one.
replace github.com/dualprocess/dualprocess-go => ../..
