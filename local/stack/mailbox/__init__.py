"""Where does mail end on a laptop? In a server that keeps each message as a file, for people to look into."""
