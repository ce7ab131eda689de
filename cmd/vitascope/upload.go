package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/ingest/uploadcli"
	"github.com/vitascope/vitascope/internal/app"
)

// serverVariable and tokenVariable are what the upload command reads besides its
// flags.
const (
	serverVariable = "VITASCOPE_SERVER"
	tokenVariable  = "VITASCOPE_TOKEN"
)

func newUpload() *cobra.Command {
	defaults := app.DefaultConfig()
	var token, data string
	o := uploadcli.Options{}
	cmd := &cobra.Command{
		Use:   "upload FILE...",
		Short: "Upload files and print where to watch, embed and analyse them",
		Long: `Upload files to a running server.

An interrupted upload goes on where it stopped when the same command is run
again. On the server's own machine no token is needed.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var err error
			if o.Token, err = uploadcli.FindToken(token, os.Getenv(tokenVariable), data); err != nil {
				return err
			}
			if o.StateDir, err = uploadcli.DefaultStateDir(); err != nil {
				return err
			}
			o.Out, o.Status, o.TTY = cmd.OutOrStdout(), cmd.ErrOrStderr(), uploadcli.IsTerminal(os.Stderr)
			client, err := uploadcli.New(o)
			if err != nil {
				return err
			}
			return client.Upload(cmd.Context(), files)
		},
	}
	server := os.Getenv(serverVariable)
	if server == "" {
		server = "http://" + defaults.Listen
	}
	cmd.Flags().StringVar(&o.Server, "server", server, "address of the server ("+serverVariable+")")
	cmd.Flags().StringVar(&token, "token", "", "API token ("+tokenVariable+"; default: the one in the data folder)")
	cmd.Flags().StringVar(&data, "data", defaults.Data, "data folder of a server on this machine")
	cmd.Flags().StringVar(&o.Wait, "wait", "", "wait until the media is “playable” or “ready”")
	cmd.Flags().BoolVar(&o.SHA256, "sha256", false, "print the SHA-256 of each file")
	return cmd
}
