// A module of its own, so that `go get` of the library leaves the fixtures out.
module github.com/dualprocess/dualprocess-go/internal/golden/testdata

go 1.26
