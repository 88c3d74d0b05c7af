// Package cluster runs a private PostgreSQL server for one data folder, from
// the binaries the distribution installed, so that Ringmaster needs no database
// set up beforehand and still uses the real one.
//
// The server listens on a unix socket only, in a folder nobody but its user
// (and root) can enter; that is why it asks for no password. It never runs as
// root: started by root it becomes the user postgres, or nobody.
//
// # Whose the server is
//
// The process that started the server owns it. When that process ends in any
// way, kill -9 included, the kernel sends the server the signal for a fast
// shutdown (prctl(2), PR_SET_PDEATHSIG), so none is ever left behind. A second
// process with the same folder shares the running server and does not stop it;
// when the owner goes, it starts its own. A server that dies is started again.
//
// # Folders
//
//	<folder>/cluster      PostgreSQL's own files, and its socket
//	<folder>/cluster/log  its log, one file per day of the week
//	<folder>/lock         held while the cluster is made
//
// The server is handed <folder>/cluster as an open directory and reaches it as
// /proc/self/fd/3. So the folders above may be closed to its user, as /root is.
//
// # What it refuses to do
//
// It does not upgrade a cluster to another major version, does not repair a
// damaged one, and does not listen on the network.
package cluster
