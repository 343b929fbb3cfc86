package ctl

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) decodeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "decode",
		Short: "Decode one event from standard input",
		Long: `Decode one event from standard input, as it is on the wire, and print it in the JSON form of
protocol buffers. It lets other tools read the stream.`,
		Example: "  nats sub 'pbx.events.>' --translate 'pbxctl decode'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := io.ReadAll(cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("read standard input: %w", err)
			}
			ev := new(pbxv1.Event)
			if err := proto.Unmarshal(data, ev); err != nil {
				return fmt.Errorf("%d bytes that are no event: %w", len(data), err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), protojson.MarshalOptions{Multiline: true}.Format(ev))
			return nil
		},
	}
}
