package smartmeter_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/iot-smart-meter/smartmeter"

// rooms is the import table of ARCHITECTURE.md: which room may import which
// other. "." is the root package. A room without a row does not exist.
var rooms = map[string]string{
	".":                        "",
	"internal/pzem":            ".",
	"internal/wire":            ".",
	"internal/dialect":         ". internal/wire",
	"internal/schedule":        ".",
	"internal/rule":            ".",
	"internal/alert":           ".",
	"internal/ledger":          ".",
	"internal/tariff":          ".",
	"internal/node":            ". internal/pzem internal/wire",
	"internal/nodehost":        ". internal/pzem internal/wire internal/node",
	"internal/display":         "",
	"internal/board":           ". internal/wire internal/node internal/display",
	"internal/hub":             ". internal/wire internal/dialect internal/schedule internal/rule internal/alert internal/ledger internal/tariff",
	"internal/disk":            "",
	"internal/disk/faultdisk":  "internal/disk",
	"internal/wal":             "internal/disk",
	"internal/chunk":           ".",
	"internal/archive":         "internal/disk",
	"internal/rollup":          ".",
	"internal/store":           ". internal/ledger internal/disk internal/wal internal/chunk internal/archive internal/rollup",
	"internal/store/storetest": ".",
	"internal/access":          ". internal/disk",
	"internal/ca":              "internal/disk",
	"internal/mqtt":            "",
	"internal/bus":             ". internal/mqtt",
	"internal/notify":          ".",
	"internal/api":             ". internal/hub internal/access",
	"internal/sim":             ". internal/wire internal/node internal/pzem",
	"internal/cli":             ".",
	"internal/wifi":            "",
	"internal/portal":          "internal/wifi",
	"web":                      "",
	"web/build":                "",
	"cmd/smartmeter":           "*",
	"cmd/figures":              "*",
	"cmd/figures/broker":       "internal/mqtt",
	"firmware":                 ". internal/pzem internal/node internal/display internal/board firmware/session",
	"firmware/session":         ". internal/board",
}

// onMicrocontroller lists the rooms that a node's firmware compiles; what they
// use, directly or not, must not contain these packages.
var (
	onMicrocontroller = []string{".", "internal/pzem", "internal/wire", "internal/node", "internal/display", "internal/board"}
	tooLargeForThem   = []string{"encoding/json", "fmt", "reflect", "net"}
)

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range listPackages(t) {
		room := roomOf(p.ImportPath)
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s has no row in the import table: give it one here and in ARCHITECTURE.md, or move its code into a room that has", room)
			continue
		}
		for _, imported := range p.Imports {
			if !ours(imported) || allowed == "*" {
				continue
			}
			if !slices.Contains(strings.Fields(allowed), roomOf(imported)) {
				t.Errorf("%s imports %s; the table allows it only: %s", room, roomOf(imported), allowed)
			}
		}
	}
}

func TestNobodyImportsTheProgram(t *testing.T) {
	for _, p := range listPackages(t) {
		if slices.Contains(p.Imports, module+"/cmd/smartmeter") {
			t.Errorf("%s imports cmd/smartmeter", p.ImportPath)
		}
	}
}

func TestNodeCodeStaysSmall(t *testing.T) {
	for _, p := range listPackages(t) {
		if !slices.Contains(onMicrocontroller, roomOf(p.ImportPath)) {
			continue
		}
		for _, dep := range tooLargeForThem {
			if slices.Contains(p.Deps, dep) {
				t.Errorf("%s reaches %s, which a node's firmware cannot carry", roomOf(p.ImportPath), dep)
			}
		}
	}
}

// TestFirmwareImportsTheTable reads the firmware's sources: it is a module of its
// own that stock Go lists only with scripts/firmware.
func TestFirmwareImportsTheTable(t *testing.T) {
	files, err := filepath.Glob("firmware/*.go")
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := filepath.Glob("firmware/session/*.go")
	if err != nil || len(files) == 0 || len(sessions) == 0 {
		t.Fatalf("%d files of the firmware, %d of its session, %v", len(files), len(sessions), err)
	}
	for _, name := range append(files, sessions...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		room := filepath.ToSlash(filepath.Dir(name))
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range source.Imports {
			imported := strings.Trim(i.Path.Value, `"`)
			if ours(imported) && !slices.Contains(strings.Fields(rooms[room]), roomOf(imported)) {
				t.Errorf("%s imports %s; the table allows %s only: %s", name, imported, room, rooms[room])
			}
			if slices.Contains([]string{"encoding/json", "fmt", "reflect", "net/http"}, imported) {
				t.Errorf("%s imports %s, which is too large for it", name, imported)
			}
		}
	}
}

func roomOf(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("read go list's answer: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	return packages
}
