// Package acd decides which agent gets which call and which call an agent gets
// next.
//
// Waiting calls live in buckets of identical requirement; each bucket keeps its
// calls and its free agents in order. A call looks at the first agent of its
// bucket, an agent at the first call of each bucket they serve: nothing scans
// all calls or all agents.
//
// The package refuses to know what an agent's state means, when an agent may be
// offered a call, or what a skill is: the floor says who is free and who may
// serve which bucket.
package acd
