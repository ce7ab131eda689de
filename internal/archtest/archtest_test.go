// Package archtest holds the rules of the layout: which package may import which.
package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/vitascope/vitascope/"

type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
	CgoFiles   []string
	Doc        string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,GoFiles,CgoFiles,Doc", module+"...")
	out, err := cmd.Output()
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var list []pkg
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else {
			require.NoError(t, err)
		}
		list = append(list, p)
	}
}

// layer orders the tree: a package may import its own layer's siblings only where
// siblings is set, and any lower layer.
func layer(path string) (rank int, feature string) {
	first, rest, _ := strings.Cut(path, "/")
	switch {
	case first == "cmd" || first == "deploy" && rest != "engines" && !strings.HasPrefix(rest, "engines/"):
		return 4, ""
	case path == "internal/app":
		return 3, ""
	case strings.HasSuffix(path, "test"):
		return 3, "" // a world for tests: it may start engines, and nothing but tests may import it
	case first == "deploy":
		return 2, "deploy/engines"
	case first == "ingest" || first == "transcode" || first == "player" || first == "analytics":
		return 2, first
	}
	return 1, ""
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		rank, feature := layer(from)
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			toRank, toFeature := layer(to)
			require.GreaterOrEqual(t, rank, toRank, "%s imports %s, which lies above it", from, to)
			if rank == 2 && toRank == 2 {
				require.Equal(t, feature, toFeature, "%s imports %s: features meet in rows, objects and messages only", from, to)
			}
		}
	}
}

func TestOneDoorToForeignCode(t *testing.T) {
	t.Parallel()
	doors := map[string][]string{
		"github.com/asticode/go-astiav":      {"transcode/av"},
		"github.com/segmentio/kafka-go":      {"internal/eventlog"},
		"github.com/minio/minio-go/v7":       {"internal/blob"},
		"github.com/versity/versitygw":       {"deploy/engines"},
		"github.com/twmb/franz-go/pkg/kfake": {"deploy/engines"},
		"github.com/ebitengine/purego":       {"deploy/engines"},
		"github.com/riverqueue/river":        {"internal/jobs", "internal/webhooks", "transcode", "ingest", "analytics"},
	}
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			for lib, allowed := range doors {
				if imp != lib && !strings.HasPrefix(imp, lib+"/") {
					continue
				}
				ok := false
				for _, a := range allowed {
					ok = ok || from == a || strings.HasPrefix(from, a+"/")
				}
				require.True(t, ok, "%s imports %s, which belongs to %v", from, imp, allowed)
			}
		}
		if len(p.CgoFiles) > 0 {
			require.Contains(t, []string{"transcode/av", "transcode/confine"}, from, "cgo stays in vitascope-media")
		}
	}
}

func TestTheMediaLibrariesStayInTheMediaChild(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"cmd/vitascope")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.NotContains(t, string(out), "go-astiav", "a server must not link FFmpeg")
}

func TestEveryPackageHasADoc(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue // tests alone, as this one
		}
		require.NotEmpty(t, p.Doc, "%s needs a package comment", p.ImportPath)
	}
}
