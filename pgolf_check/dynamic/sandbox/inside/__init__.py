"""The scripts that run on the other side: standard library only, run by path, never imported by a job."""
