// Simd runs one node of a Cosmos SDK chain with IBC v2: ibc-go's own test application, unmodified,
// behind the SDK's standard commands. The tests start their chains from it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/cobra"

	"cosmossdk.io/log"

	"github.com/cosmos/cosmos-sdk/client"
	clientcfg "github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/server"
	servercmd "github.com/cosmos/cosmos-sdk/server/cmd"
	servercfg "github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	authcmd "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"

	"github.com/cosmos/ibc-go/v10/testing/simapp"
)

var defaultHome = filepath.Join(os.TempDir(), "simd")

// homeOnly answers the one option that an application without a running node asks for.
type homeOnly string

func (home homeOnly) Get(name string) any {
	if name == flags.FlagHome {
		return string(home)
	}
	return nil
}

func newApp(logger log.Logger, db dbm.DB, trace io.Writer, opts servertypes.AppOptions) servertypes.Application {
	return simapp.NewSimApp(logger, db, trace, true, opts, server.DefaultBaseappOptions(opts)...)
}

func export(log.Logger, dbm.DB, io.Writer, int64, bool, []string, servertypes.AppOptions, []string) (servertypes.ExportedApp, error) {
	return servertypes.ExportedApp{}, errors.New("this chain's state is not exported")
}

// group is a command that only holds others.
func group(name string, members ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: name, RunE: client.ValidateCmd}
	parent.AddCommand(members...)
	return parent
}

// prepare gives a command its client context (flags, then client.toml) and its node's configuration.
func prepare(cmd *cobra.Command, base client.Context) error {
	ctx, err := client.ReadPersistentCommandFlags(base.WithCmdContext(cmd.Context()), cmd.Flags())
	if err != nil {
		return err
	}
	if ctx, err = clientcfg.ReadFromClientConfig(ctx); err != nil {
		return err
	}
	if err = client.SetCmdClientContextHandler(ctx, cmd); err != nil {
		return err
	}
	return server.InterceptConfigsPreRunHandler(cmd, servercfg.DefaultConfigTemplate, servercfg.DefaultConfig(), cmtcfg.DefaultConfig())
}

func rootCommand(scratch string) *cobra.Command {
	// The codecs and commands are those of an application that is made once and never run.
	app := simapp.NewSimApp(log.NewNopLogger(), dbm.NewMemDB(), nil, true, homeOnly(scratch))
	basics, txConfig := app.BasicModuleManager, app.TxConfig()
	base := client.Context{}.
		WithCodec(app.AppCodec()).
		WithInterfaceRegistry(app.InterfaceRegistry()).
		WithTxConfig(txConfig).
		WithLegacyAmino(app.LegacyAmino()).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithInput(os.Stdin).
		WithHomeDir(defaultHome).
		WithViper("")

	root := &cobra.Command{
		Use:               "simd",
		Short:             "one node of a test chain with IBC v2",
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return prepare(cmd, base) },
	}
	query := group("query", rpc.WaitTxCmd(), authcmd.QueryTxCmd(), server.QueryBlockCmd())
	basics.AddQueryCommands(query)
	tx := group("tx", authcmd.GetSignCommand(), authcmd.GetBroadcastCommand())
	basics.AddTxCommands(tx)
	root.AddCommand(
		genutilcli.InitCmd(basics, defaultHome),
		genutilcli.Commands(txConfig, basics, defaultHome),
		keys.Commands(), query, tx,
	)
	server.AddCommands(root, defaultHome, newApp, export, func(*cobra.Command) {})
	return root
}

func run() error {
	scratch, err := os.MkdirTemp("", "simd-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	return servercmd.Execute(rootCommand(scratch), "SIMD", defaultHome)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
