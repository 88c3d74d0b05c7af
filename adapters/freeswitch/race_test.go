//go:build race

package freeswitch

const raced = true
