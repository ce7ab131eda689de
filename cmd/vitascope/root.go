package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/internal/app"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "vitascope",
		Short:         "Self-hosted video hosting with analytics",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.AddCommand(newServe(), newUpload(), newImport(), newLoginLink(), newQuota(), newDoctor(), newConfig(), newEngine(), newWarehouse(), newEvents())
	return root
}

// version is the module's version where it was built from one, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") && len(s.Value) >= 12 {
			v = s.Value[:12]
		}
	}
	return v
}

// configured gives cmd every configuration key as a flag; the function it returns
// gives defaults, variables and flags together (the last wins), checked.
func configured(cmd *cobra.Command) func() (app.Config, error) {
	cfg := app.DefaultConfig()
	envErr := cfg.ApplyEnv(os.Environ())
	cfg.Flags(cmd.Flags())
	return func() (app.Config, error) {
		if envErr != nil {
			return cfg, envErr
		}
		return cfg, cfg.Validate()
	}
}

func newLogger(cfg app.Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
}
