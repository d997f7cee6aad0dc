package cmdmox

// Version is that of cmdmox.
const Version = "0.1.0"
