"""What is charged equals what is recorded (I5), whatever happens to a turn."""
