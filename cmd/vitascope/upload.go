package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/ingest/uploadcli"
	"github.com/vitascope/vitascope/internal/app"
)

// serverVariable and tokenVariable are what commands that send to a server read besides its
// flags.
const (
	serverVariable = "VITASCOPE_SERVER"
	tokenVariable  = "VITASCOPE_TOKEN"
)

func newUpload() *cobra.Command {
	cmd, o := clientCommand(&cobra.Command{
		Use:   "upload FILE...",
		Short: "Upload files and print where to watch, embed and analyse them",
		Long: `Upload files to a running server.

An interrupted upload goes on where it stopped when the same command is run
again. On the server's own machine no token is needed.`,
	}, (*uploadcli.Client).Upload)
	cmd.Flags().BoolVar(&o.SHA256, "sha256", false, "print the SHA-256 of each file")
	return cmd
}

func newImport() *cobra.Command {
	cmd, _ := clientCommand(&cobra.Command{
		Use:   "import URL...",
		Short: "Have the server fetch files by their addresses",
		Long: `Have a running server fetch files by their http(s) addresses and make media of them.

The server fetches in the background, from the public Internet alone unless its
--import-networks allow more. On the server's own machine no token is needed.`,
	}, (*uploadcli.Client).Import)
	return cmd
}

// clientCommand completes a command that hands its arguments to a client of a
// running server.
func clientCommand(cmd *cobra.Command, run func(*uploadcli.Client, context.Context, []string) error) (*cobra.Command, *uploadcli.Options) {
	defaults := app.DefaultConfig()
	var token, data string
	o := &uploadcli.Options{}
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.Token, err = uploadcli.FindToken(token, os.Getenv(tokenVariable), data); err != nil {
			return err
		}
		if o.StateDir, err = uploadcli.DefaultStateDir(); err != nil {
			return err
		}
		o.Out, o.Status, o.TTY = cmd.OutOrStdout(), cmd.ErrOrStderr(), uploadcli.IsTerminal(os.Stderr)
		client, err := uploadcli.New(*o)
		if err != nil {
			return err
		}
		return run(client, cmd.Context(), args)
	}
	server := os.Getenv(serverVariable)
	if server == "" {
		server = "http://" + defaults.Listen
	}
	cmd.Flags().StringVar(&o.Server, "server", server, "address of the server ("+serverVariable+")")
	cmd.Flags().StringVar(&token, "token", "", "API token ("+tokenVariable+"; default: the one in the data folder)")
	cmd.Flags().StringVar(&data, "data", defaults.Data, "data folder of a server on this machine")
	cmd.Flags().StringVar(&o.Wait, "wait", "", "wait until the media is “playable” or “ready”")
	return cmd, o
}
