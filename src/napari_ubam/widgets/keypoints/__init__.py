"""The *Keypoints* widget."""
