package cli

import "github.com/spf13/cobra"

func doctor() *cobra.Command { return &cobra.Command{Use: "doctor"} }
func apply() *cobra.Command  { return &cobra.Command{Use: "apply"} }
func export() *cobra.Command { return &cobra.Command{Use: "export"} }
