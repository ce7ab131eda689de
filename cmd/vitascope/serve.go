package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/internal/app"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run Vitascope: everything on this machine, or some roles of a cluster",
		Long: `Run Vitascope.

Without any configuration this starts every role with embedded engines, keeps
its data in one folder and listens on loopback. With the address of an S3
server, Kafka, ClickHouse or Postgres, that engine is used instead of the
embedded one; with --roles, this process takes some of the work.

Every flag is also a variable: --s3-endpoint is VITASCOPE_S3_ENDPOINT.`,
		Args: cobra.NoArgs,
	}
	load := configured(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		log, err := newLogger(cfg)
		if err != nil {
			return err
		}
		a, err := app.New(cfg, version(), log)
		if err != nil {
			return err
		}
		a.OnReady = func(r app.Ready) { printWelcome(cmd, r) }
		return a.Run(cmd.Context())
	}
	return cmd
}

func printWelcome(cmd *cobra.Command, r app.Ready) {
	var text strings.Builder
	fmt.Fprintf(&text, "\nVitascope is at %s\n", r.URL)
	if r.LoginURL != "" {
		fmt.Fprintf(&text, "\n  Log in (works once, within 24 hours):\n  %s\n", r.LoginURL)
		fmt.Fprintf(&text, "\n  A new link at any time:  %s login-link\n", os.Args[0])
	}
	if r.CanUpload {
		fmt.Fprintf(&text, "  Upload from a terminal:  %s upload FILE\n\n", os.Args[0])
	}
	// At once: who waits for the first line has the others then.
	fmt.Fprint(cmd.OutOrStdout(), text.String())
}

func newLoginLink() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login-link",
		Short: "Make a one-time login link for the admin",
		Args:  cobra.NoArgs,
	}
	load := configured(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		log, err := newLogger(cfg)
		if err != nil {
			return err
		}
		link, err := app.LoginLink(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), link)
		return nil
	}
	return cmd
}

func newQuota() *cobra.Command {
	var maxBytes, maxFiles int64
	cmd := &cobra.Command{
		Use:   "quota EMAIL --max-bytes N --max-files N",
		Short: "Bound what the account of a user may keep; also while the server runs",
		Args:  cobra.ExactArgs(1),
	}
	load := configured(cmd)
	cmd.Flags().Int64Var(&maxBytes, "max-bytes", 0, "of the originals together")
	cmd.Flags().Int64Var(&maxFiles, "max-files", 0, "how many media")
	for _, name := range []string{"max-bytes", "max-files"} {
		_ = cmd.MarkFlagRequired(name) // fails for flags that do not exist
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		log, err := newLogger(cfg)
		if err != nil {
			return err
		}
		return app.SetQuota(cmd.Context(), cfg, args[0], maxBytes, maxFiles, log)
	}
	return cmd
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	check := &cobra.Command{Use: "check", Short: "Say what is wrong with the configuration, all at once", Args: cobra.NoArgs}
	loadCheck := configured(check)
	check.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := loadCheck(); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "The configuration is valid.")
		return nil
	}
	show := &cobra.Command{Use: "print", Short: "Print what differs from the defaults, secrets hidden", Args: cobra.NoArgs}
	loadShow := configured(show)
	show.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadShow()
		if err != nil {
			return err
		}
		for _, line := range cfg.Changed() {
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
		return nil
	}
	cmd.AddCommand(check, show)
	return cmd
}
