package install

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	htmlPage = `<!DOCTYPE html><html><body>
<a href="../../files/p-1.0-py3-none-any.whl#sha256=abc">p-1.0-py3-none-any.whl</a><br/>
<A data-x="1" HREF='https://other.example/p-2.0.tar.gz?a=1&amp;b=2'>p-2.0.tar.gz</A>
<a href="::bad">bad</a></body>`
	jsonPage = `{"files": [
{"filename": "p-1.0-py3-none-any.whl", "url": "../../files/p-1.0-py3-none-any.whl", "hashes": {"sha256": "abc"}},
{"filename": "p-2.0.tar.gz", "url": "https://other.example/p-2.0.tar.gz?a=1&b=2", "hashes": {}},
{"filename": "bad", "url": "::bad"}]}`
)

func TestFiles(t *testing.T) {
	for form, page := range map[string]string{"text/html": htmlPage, "application/vnd.pypi.simple.v1+json": jsonPage} {
		t.Run(form, func(t *testing.T) {
			client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/simple/p/" {
					http.NotFound(w, r)
					return
				}
				user, password, _ := r.BasicAuth()
				assert.Equal(t, "me:secret", user+":"+password)
				w.Header().Set("Content-Type", form)
				_, _ = w.Write([]byte(page)) // the client sees a failure
			})
			address = strings.Replace(address, "://", "://me:secret@", 1)
			files, err := client.Files(t.Context(), address+"/simple/", "p")
			require.NoError(t, err)
			require.Equal(t, []File{
				{Name: "p-1.0-py3-none-any.whl", URL: address + "/files/p-1.0-py3-none-any.whl", SHA256: "abc"},
				{Name: "p-2.0.tar.gz", URL: "https://other.example/p-2.0.tar.gz?a=1&b=2"},
			}, files)
			require.Equal(t, "1.0", files[0].Version())
			require.Empty(t, files[1].Version())

			_, err = client.Files(t.Context(), address+"/simple", "missing")
			require.ErrorIs(t, err, ErrNotFound)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestRequires(t *testing.T) {
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/p.whl.metadata", r.URL.Path)
		_, _ = w.Write([]byte("Name: p\r\nRequires-Dist: q<2,>=1\r\nRequires-Dist: r; extra == \"x\"\r\n\r\nRequires-Dist: no\r\n"))
	})
	requires, err := client.Requires(t.Context(), File{URL: address + "/p.whl"})
	require.NoError(t, err)
	require.Equal(t, []string{"q<2,>=1", `r; extra == "x"`}, requires)
}

func FuzzSimpleIndex(f *testing.F) {
	f.Add([]byte(htmlPage))
	f.Add([]byte(jsonPage))
	f.Add([]byte(`<a href="%zz">x</a><a href="#sha256=">`))
	base, err := url.Parse("https://user:word@index.example/simple/p/")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, page []byte) {
		files, _ := parseSimpleJSON(page, base) // any error will do
		for _, file := range append(files, parseSimpleHTML(page, base)...) {
			address, err := url.Parse(file.URL)
			require.NoError(t, err)
			require.True(t, address.IsAbs())
			_ = file.Version() // must not panic
		}
	})
}
