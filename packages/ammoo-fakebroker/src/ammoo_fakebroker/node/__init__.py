"""What one node holds: virtual hosts, users' limits, and the policies that apply to queues."""
