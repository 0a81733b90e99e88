package install

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// File is a file of a project in a Python package index.
type File struct {
	// Name as wheels are named: name-version-python-abi-platform.whl.
	Name string
	// URL is absolute.
	URL string
	// SHA256 in hexadecimal; empty where the index gives none.
	SHA256 string
}

// Version of a wheel, from its name; empty for other files.
func (f File) Version() string {
	parts := strings.Split(f.Name, "-")
	if len(parts) < 5 || !strings.HasSuffix(f.Name, ".whl") {
		return ""
	}
	return parts[1]
}

// simpleTypes are the forms of the simple index, the better ones first.
const simpleTypes = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

// Files lists the files of a project (in its normal form: lower case, dashes) in the simple index at that address.
func (c *Client) Files(ctx context.Context, index, project string) ([]File, error) {
	body, response, err := c.page(ctx, strings.TrimSuffix(index, "/")+"/"+project+"/", simpleTypes)
	if err != nil {
		return nil, fmt.Errorf("install: look up %s: %w", project, err)
	}
	base := response.Request.URL
	if !strings.Contains(response.Header.Get("Content-Type"), "json") {
		return parseSimpleHTML(body, base), nil
	}
	files, err := parseSimpleJSON(body, base)
	if err != nil {
		return nil, fmt.Errorf("install: look up %s: %w", project, err)
	}
	return files, nil
}

// Requires lists the "Requires-Dist" entries of a wheel whose index serves its metadata beside it.
func (c *Client) Requires(ctx context.Context, f File) ([]string, error) {
	body, _, err := c.page(ctx, f.URL+".metadata", "text/plain, */*;q=0.1")
	if err != nil {
		return nil, fmt.Errorf("install: metadata of %s: %w", f.Name, err)
	}
	return parseRequires(body), nil
}

func parseRequires(metadata []byte) []string {
	var requires []string
	for line := range strings.Lines(string(metadata)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break // the description follows
		}
		if requirement, found := strings.CutPrefix(line, "Requires-Dist:"); found {
			requires = append(requires, strings.TrimSpace(requirement))
		}
	}
	return requires
}

func parseSimpleJSON(body []byte, base *url.URL) ([]File, error) {
	var page struct {
		Files []struct {
			Filename, URL string
			Hashes        map[string]string
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range page.Files {
		if address, err := resolve(base, entry.URL); err == nil {
			files = append(files, File{Name: entry.Filename, URL: address.String(), SHA256: entry.Hashes["sha256"]})
		}
	}
	return files, nil
}

// resolve makes a link absolute. Private indexes want the same user and password for their files as for their pages.
func resolve(base *url.URL, link string) (*url.URL, error) {
	address, err := base.Parse(link)
	if err != nil {
		return nil, err
	}
	if address.Host == base.Host && address.Scheme == base.Scheme && address.User == nil {
		address.User = base.User
	}
	return address, nil
}

// anchor matches a link of the HTML form: its address and its text.
var anchor = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>([^<]*)</a`)

// parseSimpleHTML reads the older form: one link per file, its hash in the fragment. It accepts any bytes.
func parseSimpleHTML(body []byte, base *url.URL) []File {
	var files []File
	for _, match := range anchor.FindAllSubmatch(body, -1) {
		address, err := resolve(base, html.UnescapeString(string(match[1])))
		if err != nil {
			continue
		}
		sum, _ := strings.CutPrefix(address.Fragment, "sha256=")
		if sum == address.Fragment {
			sum = "" // no hash, or of another kind
		}
		address.Fragment = ""
		files = append(files, File{Name: strings.TrimSpace(html.UnescapeString(string(match[2]))), URL: address.String(), SHA256: sum})
	}
	return files
}
