// Package lint holds the rules of the house that no compiler checks: which package may import which, what pure packages
// may not touch, how long a file may be, and marks of unfinished work. Its test runs them over the whole repository.
//
//	problems, err := lint.Tree(os.DirFS("../.."))
package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Module is the import path that local imports begin with.
const Module = "github.com/seed06907907/fatty"

// MaxLines is the longest file that still reads in one go.
const MaxLines = 700

// allowed lists, for each part of the tree, the parts that it may import besides itself and internal. A part that is not
// listed may import everything: commands, tests of whole processes, examples.
var allowed = map[string][]string{
	"internal":  {},
	"verifier":  {},
	"lockspace": {},
	"bft":       {},
	"p2p":       {},
	"prover":    {"verifier"},
	"client":    {"verifier", "bft", "lockspace", "node/api"},
	"node":      {"verifier", "lockspace", "bft", "p2p", "prover"},
}

// pure lists the folders whose code is a function of its arguments, with the folders below them that are drivers.
var pure = map[string][]string{
	"verifier":  {},
	"lockspace": {},
	"bft":       {"bft/wal", "bft/engine", "bft/sim"},
}

// impure are the imports that read a clock, a disk, a network or a global source of randomness.
var impure = regexp.MustCompile(`^(os|os/.*|net|net/.*|io/ioutil|math/rand|math/rand/v2|crypto/rand|syscall|log|log/slog|github\.com/libp2p/.*|github\.com/syndtr/.*)$`)

// unfinished are the marks of work that was left for later.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// clock names what of package time reads the clock; durations and instants as values are fine.
var clock = map[string]bool{"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Tick": true,
	"Sleep": true, "NewTimer": true, "NewTicker": true}

// Tree checks every Go file below root and returns the problems, sorted, each with its place and the rule.
func Tree(root fs.FS) ([]string, error) {
	var problems []string
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		problems = append(problems, File(p, src)...)
		return nil
	})
	sort.Strings(problems)
	return problems, err
}

// File checks one file by its path in the repository.
func File(name string, src []byte) []string {
	var out []string
	say := func(line int, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s:%d: %s", name, line, fmt.Sprintf(format, args...)))
	}
	lines := strings.Split(string(src), "\n")
	if n := len(lines); n > MaxLines {
		say(n, "%d lines, at most %d: split the file by idea", n, MaxLines)
	}
	for i, l := range lines {
		if unfinished.MatchString(l) {
			say(i+1, "a mark of unfinished work")
		}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return append(out, fmt.Sprintf("%s: %v", name, err))
	}
	test := strings.HasSuffix(name, "_test.go")
	dir := path.Dir(name)
	isPure := !test && pureDir(dir)
	timeName := ""
	for _, imp := range f.Imports {
		at, _ := strconv.Unquote(imp.Path.Value)
		line := fset.Position(imp.Pos()).Line
		if isPure && impure.MatchString(at) {
			say(line, "a pure package imports %s", at)
		}
		if at == "time" {
			timeName = "time"
			if imp.Name != nil {
				timeName = imp.Name.Name
			}
		}
		if rest, ok := strings.CutPrefix(at, Module+"/"); ok && !test {
			if why := direction(dir, rest); why != "" {
				say(line, "%s", why)
			}
		}
	}
	if !isPure {
		return out
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(fset.Position(n.Pos()).Line, "a pure package starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && clock[n.Sel.Name] {
				say(fset.Position(n.Pos()).Line, "a pure package reads the clock: time.%s", n.Sel.Name)
			}
		}
		return true
	})
	return out
}

func under(dir, part string) bool { return dir == part || strings.HasPrefix(dir, part+"/") }

func pureDir(dir string) bool {
	for p, drivers := range pure {
		if !under(dir, p) {
			continue
		}
		for _, d := range drivers {
			if under(dir, d) {
				return false
			}
		}
		return true
	}
	return false
}

// direction says why dir may not import target, or "".
func direction(dir, target string) string {
	part, _, _ := strings.Cut(dir, "/")
	may, ruled := allowed[part]
	if !ruled || under(target, part) || under(target, "internal") {
		return ""
	}
	for _, m := range may {
		if under(target, m) {
			return ""
		}
	}
	return fmt.Sprintf("%s imports %s: imports run one way only, see docs/architecture.md", dir, target)
}
