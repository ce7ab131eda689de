package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/vitascope/vitascope/internal/app"
)

// composeFile is the part of the Compose format that deploy/compose.yaml uses.
type composeFile struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		HealthCheck struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

var (
	variable = regexp.MustCompile(`\$\{([A-Z_0-9]+)(:[-?])?([^}]*)\}`)
	required = regexp.MustCompile(`\$\{([A-Z_0-9]+):\?`)
	pinned   = regexp.MustCompile(`^[a-z/-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)*$`)
)

func readCompose(t *testing.T) (file composeFile, text string) {
	t.Helper()
	raw, err := os.ReadFile("../compose.yaml")
	require.NoError(t, err)
	filled := variable.ReplaceAllStringFunc(string(raw), func(s string) string {
		m := variable.FindStringSubmatch(s)
		switch {
		case m[1] == "PUBLIC_URL":
			return "http://localhost:8080"
		case m[2] == ":-":
			return m[3]
		}
		return strings.Repeat("0f", 32)
	})
	require.NoError(t, yaml.Unmarshal([]byte(filled), &file))
	return file, string(raw)
}

func TestComposeConfiguresEveryRoleAsTheProgramUnderstandsIt(t *testing.T) {
	t.Parallel()
	file, _ := readCompose(t)
	var roles []string
	for name, s := range file.Services {
		if s.Image != "vitascope:local" {
			continue
		}
		cfg := app.DefaultConfig()
		var environ []string
		for k, v := range s.Environment {
			environ = append(environ, k+"="+v)
		}
		require.NoError(t, cfg.ApplyEnv(environ), name)
		require.NoError(t, cfg.Validate(), name)
		roles = append(roles, cfg.Roles...)
	}
	require.ElementsMatch(t, app.AllRoles(), roles, "each role runs in one service")
}

func TestComposeHoldsTogether(t *testing.T) {
	t.Parallel()
	file, text := readCompose(t)
	for name, s := range file.Services {
		for dependency := range s.DependsOn {
			require.Contains(t, file.Services, dependency, name)
			require.NotEmpty(t, file.Services[dependency].HealthCheck.Test, "%s waits for the health of %s", name, dependency)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			require.Contains(t, file.Volumes, volume, name)
		}
		if s.Image != "vitascope:local" {
			require.Regexp(t, pinned, s.Image, name)
		}
	}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		secret := strings.Contains(m[1], "SECRET") || strings.Contains(m[1], "PASSWORD") || strings.Contains(m[1], "KEY")
		require.False(t, secret && m[2] != ":?", "%s must have no default", m[0])
	}
}

func TestTheEnvExampleNamesWhatComposeRequires(t *testing.T) {
	t.Parallel()
	_, text := readCompose(t)
	example, err := os.ReadFile("../.env.example")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range required.FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	require.NotEmpty(t, names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		require.Regexp(t, `(?m)^`+name+`=`, string(example))
	}
	require.NotRegexp(t, `(?m)(SECRET|PASSWORD|KEY)[A-Z_]*=.+$`, string(example), "an example secret would be used")
}

func TestTheDockerfileCopiesWhatIsThere(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	found := 0
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "COPY" || strings.HasPrefix(fields[1], "--from") {
			continue
		}
		for _, source := range fields[1 : len(fields)-1] {
			_, err := os.Stat(filepath.Join("../..", source))
			require.NoError(t, err, line)
			found++
		}
	}
	require.Positive(t, found)
}
