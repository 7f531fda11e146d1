// Package docs is what people read. Its tests hold it to the code: links lead somewhere, and what can be listed by machine
// (metrics, codes, events, operations, domains) is listed in full.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pages are all pages of text: this folder's, and the README.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"../README.md", "../examples/README.md"}
	for _, pattern := range []string{"*.md", "decisions/*.md"} {
		found, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// anchor is how a heading is linked to.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			to := m[1]
			if strings.Contains(to, "://") {
				continue
			}
			file := page
			if to != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(to))
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s links to %s, which is not there", page, to)
					continue
				}
			}
			if m[2] == "" {
				continue
			}
			found := false
			for _, h := range heading.FindAllStringSubmatch(read(t, file), -1) {
				found = found || "#"+anchor(h[1]) == m[2]
			}
			if !found {
				t.Errorf("%s links to %s%s: there is no such heading", page, to, m[2])
			}
		}
	}
}

// TestListsAreComplete finds names in the source and looks for each of them on its page.
func TestListsAreComplete(t *testing.T) {
	for _, c := range []struct {
		page, source, name string
		prefix             string // before the name on the page
	}{
		{"operations.md", "../node/metrics.go", `"(fatty_[a-z_]+)"`, ""},
		{"operations.md", "../node/rpc/metrics.go", `"(fatty_[a-z_]+)"`, ""},
		{"operations.md", "../p2p/metrics.go", `(?:counter|gauge)\("([a-z_]+)"`, "fatty_p2p_"},
		{"operations.md", "../p2p/metrics.go", `(?:drop|reject)[A-Z]\w+ += "([a-z-]+)"`, "`"},
		{"protocol.md", "../lockspace/errors.go", `Code = "([a-z_]+)"`, "`"},
		{"protocol.md", "../lockspace/events.go", `EventKind = "([a-z_]+)"`, "`"},
		{"protocol.md", "../lockspace/transaction.go", `Kind = "([a-z]+)"`, "| `"},
		{"protocol.md", "../internal/wire/domain.go", `Domain = "([a-z/0-9]+)"`, "`"},
		{"protocol.md", "../node/api/errors.go", `Code[A-Z]\w+ += (-?\d+)`, "| "},
	} {
		page := read(t, c.page)
		// Names that the page gives in a shorter form: two metrics of a pair, and JSON-RPC's own codes as a range.
		short := strings.NewReplacer("fatty_p2p_gossip_published_total", "_published_total", "fatty_p2p_messages_sent_total", "_sent_total")
		found := regexp.MustCompile(c.name).FindAllStringSubmatch(read(t, c.source), -1)
		if len(found) == 0 {
			t.Errorf("%s: nothing matches %s any more", c.source, c.name)
		}
		for _, m := range found {
			if strings.HasPrefix(m[1], "-32") {
				continue
			}
			if want := short.Replace(c.prefix + m[1]); !strings.Contains(page, want) {
				t.Errorf("%s does not name %s, of %s", c.page, want, c.source)
			}
		}
	}
}

// TestKnownBugsAreListed compares the page of known bugs with the tests of that name, both ways.
func TestKnownBugsAreListed(t *testing.T) {
	tests := map[string]bool{} // number and name
	for _, dir := range []string{"../verifier", "../prover"} {
		err := filepath.WalkDir(filepath.FromSlash(dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, m := range regexp.MustCompile(`(?m)^func TestKnownBug_(C?\d\d)_(\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
				tests[m[1]+" "+m[2]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	page := read(t, "known-bugs.md")
	for _, row := range regexp.MustCompile(`(?m)^\| (C?\d\d) \|.*\| (.*) \|$`).FindAllStringSubmatch(page, -1) {
		for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			if key := row[1] + " " + name[1]; !tests[key] {
				t.Errorf("known-bugs.md names a test of %s, which is not there", key)
			} else {
				delete(tests, key)
			}
		}
	}
	for key := range tests {
		t.Errorf("known-bugs.md does not name the test of %s", key)
	}
}

func TestReadmeOpensWithTheTwoCommands(t *testing.T) {
	page := read(t, "../README.md")
	top, _, _ := strings.Cut(page, "## Run a cell")
	for _, command := range []string{"go run ./cmd/fatty devnet", "go test ./..."} {
		if !strings.Contains(top, "    "+command) {
			t.Errorf("the README does not show %q first", command)
		}
	}
}

// TestNoMachinePaths: what was copied from a terminal must not bring that terminal's folders along.
func TestNoMachinePaths(t *testing.T) {
	for _, page := range pages(t) {
		if m := regexp.MustCompile(`(?:^|[\s"'(=])/(?:tmp|work|root|home|Users)/\S*`).FindString(read(t, page)); m != "" {
			t.Errorf("%s names %q", page, strings.TrimSpace(m))
		}
	}
}
